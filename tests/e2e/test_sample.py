"""`diptych sample` on the shipped base and on a tiny model with a ViT, and `diptych recipe`."""

import base64
import html.parser
import json
import signal
import struct
import subprocess
import unittest
import zlib

import png
import support

MODEL = support.REPOSITORY / "assets/shapes_base"
TINY = support.REPOSITORY / "tests/fixtures/bagel_tiny/checkpoint"  # random weights, with a ViT
PROMPTS = ["a photo of three red circles", "a photo of a square right of a circle"]
SIDE = 32
GAP = 4
ENLARGED = 3  # each pixel of the grid, to reach at least 96 a side
GREY_JPEG = base64.b64decode(  # 16 x 16 pixels
    "/9j/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAAL"
    "CAAQABABAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AAP/Z")


def size(rows):
    return len(rows[0]) // png.CHANNELS, len(rows)


def picture(path, width, height, colour):
    png.write(path, [bytes(colour) * width] * height)
    return path


class Page(html.parser.HTMLParser):
    """Counts elements and collects what a page shows; fails on elements that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.counts, self.sources, self.text = [], {}, [], ""
        self.feed(text)
        if self.open:
            raise ValueError(f"not closed: {self.open}")

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.sources += [value for name, value in attributes if name == "src"]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes another element")

    def handle_data(self, data):
        self.text += data


class SampleCase(support.EndToEndTest):
    def sample(self, name, *arguments, prompts=PROMPTS, model=MODEL):
        """Returns (output, lines of samples.jsonl with the pixels of their last images)."""
        out = self.folder / name
        for prompt in prompts:
            arguments += ("--prompt", prompt)
        output = self.run_program("sample", model, "--out", out, "--threads", 1, *arguments)
        samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
        for sample in samples:
            if "path" in sample:
                sample["pixels"] = png.read(out / sample["path"])
        return output, samples

    def page(self, name):
        return Page((self.folder / name / "conversation.html").read_text())

    def complaint(self, *arguments, status, model=MODEL):
        return self.run_program("sample", model, *arguments, "--out", self.folder / "samples", status=status)


class SampleTest(SampleCase):
    def test_writes_every_image(self):
        output, samples = self.sample("samples", "--count", 2, "--seed", 5)
        self.assertEqual([(s["prompt"], s["sample"], s["path"]) for s in samples],
                         [(PROMPTS[p], k, f"000{p}_{k}.png") for p in (0, 1) for k in (0, 1)])
        for sample in samples:
            self.assertEqual((sample["seed"], sample["episode"], sample["refine"], sample["end"], sample["sources"]),
                             (5, "think", "none", "painted", []))
            (only,) = sample["rounds"]
            self.assertIsInstance(only["truncated"], bool)
            self.assertEqual((only["image"], only["end"]), (sample["path"], "painted"))
            self.assertEqual(size(sample["pixels"]), (SIDE, SIDE))
            self.assert_mentions(output, sample["prompt"], only["thinking"],
                                 self.folder / "samples" / sample["path"])

    def test_an_image_depends_on_seed_and_place_alone(self):
        _, both = self.sample("both", "--count", 2, "--seed", 1)
        _, one_by_one = self.sample("one_by_one", "--count", 2, "--seed", 1, "--batch", 1)
        self.assertEqual(both, one_by_one)
        _, first = self.sample("first", "--seed", 1, prompts=PROMPTS[:1])
        self.assertEqual(first, both[:1])
        _, other = self.sample("other", "--seed", 2, prompts=PROMPTS[:1])
        self.assertNotEqual(other[0]["pixels"], both[0]["pixels"])

    def test_the_grid_holds_a_row_of_images_per_prompt(self):
        grid = self.folder / "pictures/grid.png"
        _, samples = self.sample("samples", "--count", 3, "--grid", grid)
        rows = png.read(grid)
        step = SIDE * ENLARGED + GAP
        self.assertEqual(size(rows), (3 * step - GAP, 2 * step - GAP))
        for i, sample in enumerate(samples):
            cell = png.crop(rows, i % 3 * step, i // 3 * step, SIDE * ENLARGED, SIDE * ENLARGED)
            self.assertEqual([row[: png.CHANNELS] for row in cell[::ENLARGED]],
                             [row[: png.CHANNELS] for row in sample["pixels"]])

    def test_without_thinking_there_is_no_thought(self):
        output, samples = self.sample("samples", "--no-think")
        self.assertNotIn("thinking", output)
        self.assertEqual(samples[0]["episode"], "t2i")
        self.assertEqual(sorted(samples[0]["rounds"][0]), ["end", "image"])
        _, named = self.sample("named", "--episode", "t2i")
        self.assertEqual(named, samples)

    def test_a_thought_at_the_cap_is_marked(self):
        output, samples = self.sample("samples", "--max-think-tokens", 1)
        self.assertTrue(samples[0]["rounds"][0]["truncated"])
        self.assert_mentions(output, "cut at --max-think-tokens")
        self.assertIn("cut at --max-think-tokens", self.page("samples").text)

    def test_prompts_come_from_a_file(self):
        file = self.folder / "prompts.txt"
        file.write_text("# two\n" + "\n".join(PROMPTS) + "\n")
        _, from_file = self.sample("file", "--prompts", file, prompts=[])
        _, given = self.sample("given")
        self.assertEqual(from_file, given)

    def test_a_second_call_replaces_the_list(self):
        self.sample("samples")
        _, samples = self.sample("samples", prompts=PROMPTS[:1])
        self.assertEqual(len(samples), 1)

    def test_a_mistake_leaves_the_lists_of_an_earlier_call(self):
        self.sample("samples", "--no-think", prompts=PROMPTS[:1])
        before = {name: (self.folder / "samples" / name).read_bytes() for name in ("samples.jsonl", "conversation.html")}
        long = self.folder / "long.txt"
        long.write_text("cat " * 33000)
        for arguments, status, mention in ((("--prompt", "x", "--size", 40), support.USAGE, "--size"),
                                           (("--prompts", long), support.DATA, "at most 32768 tokens")):
            self.assert_mentions(self.complaint(*arguments, status=status), mention)
        self.complaint("--prompt", "x", model=self.folder / "none", status=support.MODEL)
        self.assertEqual({name: (self.folder / "samples" / name).read_bytes() for name in before}, before)

    def test_a_long_prompt_is_announced(self):
        output, _ = self.sample("samples", "--no-think", prompts=["cat " * 4200])
        self.assert_mentions(output, "prompt 0 has 42", "takes a while")

    def test_samples_of_one_prompt_come_a_batch_at_a_time(self):
        arguments = ("--count", 5, "--no-think", "--seed", 3)
        _, whole = self.sample("whole", *arguments, "--batch", 5)
        _, parts = self.sample("parts", *arguments, "--batch", 2)
        self.assertEqual(parts, whole)
        out = self.folder / "endless"
        process = self.start_program("sample", MODEL, "--prompt", "x", "--no-think", "--count", 100000, "--batch", 4,
                                     "--threads", 1, "--out", out)
        lines = out / "samples.jsonl"
        self.wait_until(lambda: lines.exists() and lines.read_text().count("\n") >= 8, process)
        self.assertEqual(self.stop_program(process, signal.SIGINT), -signal.SIGINT)
        samples = [json.loads(line) for line in lines.read_text().splitlines()]
        self.assertEqual([sample["sample"] for sample in samples], list(range(len(samples))))
        for sample in samples:
            png.read(out / sample["path"])

    def test_sizes_need_not_be_square(self):
        grid = self.folder / "grid.png"
        _, wide = self.sample("wide", "--size", "64x32", "--grid", grid)
        _, tall = self.sample("tall", "--size", "32x64")
        self.assertEqual([size(sample["pixels"]) for sample in wide + tall], [(64, 32)] * 2 + [(32, 64)] * 2)
        self.assertEqual(size(png.read(grid)), (2 * 128 + GAP, 64))  # enlarged twice: 96 of the longer side
        _, square = self.sample("square", "--size", "64x64", prompts=PROMPTS[:1])
        self.assertEqual(square, self.sample("side", "--size", 64, prompts=PROMPTS[:1])[1])
        for wrong in ("64x", "x64", "64x32x16", "64*32", "wide", "6.4"):
            self.assert_mentions(self.complaint("--prompt", "x", "--size", wrong, status=support.USAGE),
                                 "--size", "N or WIDTHxHEIGHT", wrong)
        for wrong, side in (("64x40", 40), ("272x32", 272), ("0x32", 0), ("64x-32", -32), ("65536", 65536)):
            self.assert_mentions(self.complaint("--prompt", "x", "--size", wrong, status=support.USAGE),
                                 "a multiple of 16 up to 256 for each side", side)

    def test_guidance_changes_images_and_not_thoughts(self):
        _, plain = self.sample("plain", prompts=PROMPTS[:1])
        _, guided = self.sample("guided", "--guidance", 4, prompts=PROMPTS[:1])
        self.assertEqual(guided[0]["rounds"], plain[0]["rounds"])
        self.assertNotEqual(guided[0]["pixels"], plain[0]["pixels"])
        for option in (("--guidance-interval", 0.9, 1), ("--guidance-renorm", "channel"),
                       ("--guidance-renorm-min", 1)):
            _, other = self.sample("other", "--guidance", 4, *option, prompts=PROMPTS[:1])
            self.assertNotEqual(other[0]["pixels"], guided[0]["pixels"], option)
        _, never = self.sample("never", "--guidance", 4, "--guidance-interval", 0, 0, prompts=PROMPTS[:1])
        self.assertEqual(never[0]["pixels"], plain[0]["pixels"])

    def test_errors_say_what_to_mend(self):
        self.assert_mentions(self.complaint(status=support.USAGE), "either --prompt TEXT or --prompts FILE", "neither")
        self.assert_mentions(self.complaint("--prompt", "x", "--size", 40, status=support.USAGE), "--size",
                             "multiple of 16", "40")
        self.assert_mentions(self.complaint("--prompt", "x", "--steps", 0, status=support.USAGE), "--steps")
        self.assert_mentions(self.complaint("--prompt", "x", "--prompts", "y.txt", status=support.USAGE), "--prompts")
        self.assert_mentions(self.complaint("--prompt", "x", model=self.folder / "none", status=support.MODEL),
                             self.folder / "none")
        (self.folder / "file").write_text("")
        self.assert_mentions(self.run_program("sample", MODEL, "--prompt", "x", "--out", self.folder / "file/inside",
                                              status=support.IO), self.folder / "file/inside")

    def test_guidance_that_could_not_act_is_an_error(self):
        for arguments, mention in (
            (("--image-guidance", 2), "--guidance above 1"),
            (("--image-guidance", 2, "--guidance", 4), "images in view"),
            (("--guidance-interval", 0.8, 0.2), "LOW up to HIGH"),
            (("--guidance-renorm", "both"), "--guidance-renorm"),
        ):
            self.assert_mentions(self.complaint("--prompt", "x", *arguments, status=support.USAGE), mention)


class EpisodeTest(SampleCase):
    """Every episode, with random weights: what is given and where it goes, not what it shows."""

    def setUp(self):
        super().setUp()
        self.first = picture(self.folder / "first.png", 20, 28, (250, 10, 10))
        self.second = picture(self.folder / "second.png", 40, 16, (10, 10, 250))

    def tiny(self, name, *arguments, prompts=("add a ring",)):
        return self.sample(name, "--max-think-tokens", 6, "--steps", 2, *arguments, prompts=prompts, model=TINY)

    def test_images_ask_for_an_edit(self):
        output, (sample,) = self.tiny("samples", "--image", self.first, "--image", self.second)
        self.assertEqual((sample["episode"], sample["end"]), ("edit", "painted"))
        self.assertEqual(sample["sources"], [str(self.first), str(self.second)])
        self.assertEqual(sorted(sample["rounds"][0]), ["end", "image"])
        self.assertEqual(size(sample["pixels"]), (20, 28))  # the first image's
        self.assert_mentions(output, "edit", self.folder / "samples/0000_0.png")
        _, (plain,) = self.tiny("plain", "--image", self.first, "--image", self.second, "--no-think")
        self.assertEqual(plain, sample)

    def test_the_order_of_images_counts(self):
        arguments = ("--size", 16)
        _, (one,) = self.tiny("one", "--image", self.first, "--image", self.second, *arguments)
        _, (other,) = self.tiny("other", "--image", self.second, "--image", self.first, *arguments)
        self.assertEqual((size(one["pixels"]), size(other["pixels"])), ((16, 16), (16, 16)))
        self.assertNotEqual(one["pixels"], other["pixels"])

    def test_images_go_with_every_prompt(self):
        prompts = ("add a ring", "remove it")
        _, samples = self.tiny("both", "--image", self.first, "--count", 2, prompts=prompts)
        self.assertEqual([(s["prompt"], s["sample"]) for s in samples], [(p, k) for p in prompts for k in (0, 1)])
        self.assertEqual({tuple(s["sources"]) for s in samples}, {(str(self.first),)})
        _, alone = self.tiny("alone", "--image", self.first, "--count", 2, "--batch", 1, prompts=prompts)
        self.assertEqual(alone, samples)

    def test_images_are_turned_upright(self):
        upright, lying = self.folder / "upright.png", self.folder / "lying.png"
        rows = [b"".join(bytes((10 * x, 8 * y, 90)) for x in range(16)) for y in range(28)]
        png.write(upright, rows)
        columns = [b"".join(row[3 * x : 3 * x + 3] for row in rows) for x in reversed(range(16))]  # held on its right side
        png.write(lying, columns)
        exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, 6, 0, 0)
        chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
        data = lying.read_bytes()
        lying.write_bytes(data[:33] + chunk + data[33:])  # behind the header
        _, (expected,) = self.tiny("upright", "--image", upright)
        _, (turned,) = self.tiny("turned", "--image", lying)
        self.assertEqual(turned["pixels"], expected["pixels"])

    def test_edits_may_have_any_size(self):
        _, (sample,) = self.tiny("samples", "--image", self.first, "--size", "24x40")
        self.assertEqual(size(sample["pixels"]), (24, 40))

    def test_jpeg_images_are_read(self):
        file = self.folder / "grey.jpg"
        file.write_bytes(GREY_JPEG)
        _, (sample,) = self.tiny("samples", "--image", file)
        self.assertEqual(sample["end"], "painted")

    def test_texts_are_named_by_what_they_are(self):
        for episode, kind in (("edit_think", "thinking"), ("reflect", "reflection"), ("review", "review"),
                              ("understand", "answer")):
            with self.subTest(episode=episode):
                output, (sample,) = self.tiny(episode, "--episode", episode, "--image", self.first)
                (only,) = sample["rounds"]
                self.assert_mentions(output, episode, only[kind])
                self.assertEqual("image" in only, only["end"] == "painted")
                self.assertEqual("path" in sample, "image" in only)
        self.assertEqual((only["end"], sample["end"]), ("answered", "answered"))

    def test_rounds_say_how_they_ended(self):
        output, (sample,) = self.tiny("samples", "--episode", "rounds:2")
        self.assertIn("thinking", sample["rounds"][0])
        self.assertIn("review", sample["rounds"][1])
        # Random weights write no review that can be read.
        self.assertEqual((len(sample["rounds"]), sample["end"]), (2, "unreadable"))
        self.assertEqual(sample["path"], "0000_0.png")
        self.assert_mentions(output, "unreadable: ")
        self.assertIn("the picture above", self.page("samples").text)

    def test_refinement_names_its_mode(self):
        output, (sample,) = self.tiny("always", "--refine", "always", "--refine-rounds", 2)
        self.assertEqual((sample["episode"], sample["refine"], sample["end"]), ("think", "always", "painted"))
        self.assertEqual([r["image"] for r in sample["rounds"]],
                         ["0000_0.png", "0000_0_round1.png", "0000_0_round2.png"])
        self.assertEqual(sample["path"], "0000_0_round2.png")
        self.assertEqual([sorted(r)[-1] for r in sample["rounds"]], ["truncated"] * 3)
        self.assertEqual([("reflection" in r) for r in sample["rounds"]], [False, True, True])
        mode = "think, then 2 rounds of refinement in mode always"
        self.assert_mentions(output, mode)
        self.assertIn(mode, self.page("always").text)
        for round_ in sample["rounds"]:
            png.read(self.folder / "always" / round_["image"])

        output, (sample,) = self.tiny("self", "--refine", "self", "--no-think")
        self.assertEqual((sample["episode"], sample["refine"], sample["end"]), ("t2i", "self", "unreadable"))
        self.assertIn("review", sample["rounds"][1])
        self.assert_mentions(output, "t2i, then 1 round of refinement in mode self")

    def test_refinement_depends_on_seed_and_place_alone(self):
        prompts = ("a ring", "a cross")
        arguments = ("--refine", "always")
        _, both = self.tiny("both", *arguments, "--count", 2, prompts=prompts)
        _, one_by_one = self.tiny("one_by_one", *arguments, "--count", 2, "--batch", 1, prompts=prompts)
        self.assertEqual(both, one_by_one)
        _, first = self.tiny("first", *arguments, prompts=prompts[:1])
        self.assertEqual(first, both[:1])
        self.assertNotEqual(both[0]["pixels"], both[1]["pixels"])

    def test_the_oracle_refines_what_is_wrong(self):
        prompts = ("a circle", "a photo of as many squares as a tricycle has wheels")
        output, samples = self.sample("samples", "--refine", "oracle", "--count", 2, prompts=prompts)
        self.assert_mentions(output, "refinement in mode oracle", "the verifier finds the last picture")
        for sample in samples:
            *earlier, last = [self.is_right(sample["prompt"], round_["image"]) for round_ in sample["rounds"]]
            self.assertEqual(sample["end"], "right" if last else "wrong")
            self.assertNotIn(True, earlier)
            self.assertEqual(len(earlier), 0 if last and not earlier else 1)

    def is_right(self, prompt, image):
        command = [support.BINARY, "shapes", "verify", self.folder / "samples" / image, "--prompt", prompt]
        done = subprocess.run(command, cwd=support.REPOSITORY, capture_output=True, check=False)
        self.assertIn(done.returncode, (support.OK, support.MISMATCH), done.stderr)
        return done.returncode == support.OK

    def test_prompts_of_pictures_can_be_chosen(self):
        arguments = ("--episode", "reflect", "--image", self.first)
        _, (by_default,) = self.tiny("default", *arguments)
        _, (other,) = self.tiny("other", *arguments, "--reflection-prompt", "wrong: {prompt} <b>")
        self.assertNotEqual(by_default["pixels"], other["pixels"])
        self.assertIn("wrong: add a ring <b>", self.page("other").text)
        self.tiny("bagel", *arguments, "--reflection-prompt", "bagel", "--system-prompt", "look & mend")
        self.assertIn("name what is wrong with it", self.page("bagel").text)
        self.assertIn("look & mend", self.page("bagel").text)
        self.tiny("review", "--episode", "review", "--image", self.first, "--review-prompt", "check {prompt}")
        self.assertIn("check add a ring", self.page("review").text)

    def test_edits_take_image_guidance(self):
        arguments = ("--image", self.first, "--guidance", 3)
        _, (plain,) = self.tiny("plain", *arguments)
        _, (guided,) = self.tiny("guided", *arguments, "--image-guidance", 2)
        self.assertNotEqual(plain["pixels"], guided["pixels"])

    def test_a_model_without_a_vit_sees_the_latent_alone(self):
        _, (sample,) = self.sample("samples", "--image", self.first, prompts=["add a red circle"])
        self.assertEqual((sample["episode"], sample["end"]), ("edit", "painted"))

    def test_the_page_holds_the_whole_conversation(self):
        arguments = ("--episode", "edit_think", "--image", self.first, "--image", self.second, "--count", 2)
        prompts = ("add <a> ring & \"more\"", "remove it")
        _, samples = self.tiny("samples", *arguments, "--system-prompt", "think hard", prompts=prompts)
        page = self.page("samples")
        self.assertEqual(page.counts["section"], 4)
        self.assertEqual(page.counts["img"], 4 * 3)
        self.assertNotIn("script", page.counts)
        self.assertTrue(all(source.startswith("data:image/") for source in page.sources))
        for text in (*prompts, "think hard", "edit_think", "painted"):
            self.assertIn(text, page.text)
        first = (self.folder / "samples/conversation.html").read_bytes()
        self.tiny("samples", *arguments, "--system-prompt", "think hard", prompts=prompts)
        self.assertEqual((self.folder / "samples/conversation.html").read_bytes(), first)


class WrongImageTest(SampleCase):
    def test_episodes_and_images_must_go_together(self):
        image = picture(self.folder / "a.png", 8, 8, (1, 2, 3))
        for episode in ("edit", "edit_think", "understand", "reflect", "review"):
            self.assert_mentions(self.complaint("--prompt", "x", "--episode", episode, status=support.USAGE),
                                 "--image", episode)
        for episode in ("t2i", "think", "rounds:2"):
            self.assert_mentions(self.complaint("--prompt", "x", "--episode", episode, "--image", image,
                                                status=support.USAGE), "--image", episode, "edit")
        for arguments, mention in (
            (("--episode", "paint"), "t2i, think, edit"),
            (("--episode", "rounds:0"), "rounds:N"),
            (("--episode", "edit", "--no-think"), "--no-think"),
            (("--image", image, "--refine", "always"), "--refine"),
            (("--refine", "sometimes"), "--refine"),
            (("--refine-rounds", 2), "--refine"),
            (("--episode", "understand", "--image", image, "--grid", "grid.png"), "--grid"),
            (("--episode", "review", "--image", image, "--grid", "grid.png"), "--grid"),
        ):
            self.assert_mentions(self.complaint("--prompt", "x", *arguments, status=support.USAGE), mention)

    def test_the_oracle_wants_the_shapes_world(self):
        self.assert_mentions(self.complaint("--prompt", "a photo of a cat", "--refine", "oracle",
                                            status=support.USAGE), "shapes world", "a photo of a cat")
        self.assert_mentions(self.complaint("--prompt", PROMPTS[0], "--refine", "oracle", "--size", 64,
                                            status=support.USAGE), "32 x 32", "64 x 64")

    def test_images_must_be_readable(self):
        missing = self.folder / "none.png"
        self.assert_mentions(self.complaint("--prompt", "x", "--image", missing, status=support.IO), missing)
        self.assert_mentions(self.complaint("--prompt", "x", "--image", self.folder, status=support.IO), self.folder)
        whole = picture(self.folder / "whole.png", 8, 8, (1, 2, 3)).read_bytes()
        for name, contents in (("empty.png", b""), ("text.png", b"no image"), ("cut.png", whole[:40]),
                               ("huge.png", huge_png())):
            (self.folder / name).write_bytes(contents)
            self.assert_mentions(self.complaint("--prompt", "x", "--image", self.folder / name, status=support.DATA),
                                 self.folder / name)


def huge_png():
    """The first bytes of a PNG file that claims 100000 x 100000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100000, 100000, 8, 2, 0, 0, 0)
    return png.SIGNATURE + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


class RecipeTest(support.EndToEndTest):
    def test_every_shipped_recipe_prints_and_reads_back(self):
        for file in sorted((support.REPOSITORY / "recipes").glob("*.toml")):
            with self.subTest(recipe=file.name):
                printed = self.run_program("recipe", file)
                copy = self.write_recipe(file.name, printed)
                self.assertEqual(self.run_program("recipe", copy), printed)

    def test_overrides_and_comments_are_in_it(self):
        output = self.run_program("recipe", "recipes/shapes_unigrpo.toml", "train.group_size=5")
        self.assertRegex(output, r"(?m)^group_size = 5\b.*# chains per prompt")

    def test_an_unknown_kind_is_an_error(self):
        recipe = self.write_recipe("mine.toml", 'kind = "rll"\n')
        output = self.run_program("recipe", recipe, status=support.CONFIG)
        self.assert_mentions(output, recipe, "rl, sft, autoencoder", "rll")


if __name__ == "__main__":
    unittest.main()
