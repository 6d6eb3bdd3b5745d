"""`diptych decompose`: by the rules of the shapes world, and through a language model behind a real HTTP server."""

import http.server
import json
import re
import signal
import threading
import unittest

import support

SEMANTIC = "Is there a cat?"


class FakeModel(http.server.BaseHTTPRequestHandler):
    """Knows the stages by what the shipped templates say. Says no to `server.refused`, never understands
    `server.broken`, and has an error for `server.failing`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][0]["content"]
        if not isinstance(text, str):
            text = "".join(part["text"] for part in text)
        self.server.requests.append(body)
        if len(self.server.requests) > self.server.answers:
            self.server.resume.wait()
            self.close_connection = True
            return None
        prompt = re.findall(r"^(?:The prompt of the picture|Prompt): (.*)$", text, re.MULTILINE)[-1]
        if prompt in self.server.failing:
            return self.send(400, {"error": {"message": "content filter"}})
        reply = {"choices": [{"index": 0, "finish_reason": "stop",
                              "message": {"role": "assistant", "content": self.reply(prompt, text)}}],
                 "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
        return self.send(200, reply)

    def reply(self, prompt, text):
        if prompt in self.server.broken:
            return "I would rather not."
        if text.startswith("You break a text-to-image prompt"):
            return f'Sure:\n```json\n["{SEMANTIC}", "Is it {prompt}?"]\n```'
        if text.startswith("Someone wrote yes/no questions"):
            return json.dumps([{"number": 1, "reason": "stated", "valid": True},
                               {"number": 2, "reason": "optional", "valid": prompt not in self.server.refused}])
        if text.startswith("Sort yes/no questions"):
            return '[{"number": 1, "tag": "Existence"}, {"number": 2, "tag": "Attribute"}]'
        return '[{"question": "Is the fur well painted?", "tag": "Texture"}]'

    def send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


def records_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


class DecomposeTest(support.EndToEndTest):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeModel)
        self.server.requests = []
        self.server.answers = float("inf")  # requests after so many hang until `resume`, and get no reply
        self.server.resume = threading.Event()
        self.server.refused = self.server.broken = self.server.failing = ()
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.out = self.folder / "questions.jsonl"

    def command(self, prompts):
        file = self.folder / "prompts.txt"
        file.write_text("".join(prompt + "\n" for prompt in prompts))
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return ["decompose", file, "--out", self.out, "--url", url, "--model", "fake"]

    def decompose(self, prompts, *arguments, **options):
        return self.run_program(*self.command(prompts), *arguments, **options)

    def test_a_language_model_makes_records(self):
        output = self.decompose(["furry", "red", "loud"])
        records = records_of(self.out)
        self.assertEqual([record["prompt"] for record in records], ["furry", "red", "loud"])
        self.assertEqual([record["original_index"] for record in records], [0, 1, 2])
        self.assertEqual(records[1]["semantic_questions"],
                         [{"question_type": "semantic", "question": SEMANTIC, "is_valid": True, "tag": "Existence"},
                          {"question_type": "semantic", "question": "Is it red?", "is_valid": True,
                           "tag": "Attribute"}])
        self.assertEqual(records[1]["quality_questions"],
                         [{"question_type": "quality", "question": "Is the fur well painted?", "is_valid": True,
                           "tag": "Texture"}])
        self.assertRegex(output, r"calls +12\n")
        self.assertRegex(output, r"tokens +84 in, 24 out\n")
        self.assertEqual({request["model"] for request in self.server.requests}, {"fake"})
        self.assertEqual({request["temperature"] for request in self.server.requests}, {0.6, 0.3})
        self.assertRegex(self.run_program("data", "check", self.out), r"with questions +3\n")

    def test_a_second_run_asks_nothing(self):
        self.decompose(["furry", "red"])
        first = self.out.read_bytes()
        asked = len(self.server.requests)
        self.out.unlink()
        output = self.decompose(["furry", "red"])
        self.assertEqual(self.out.read_bytes(), first)
        self.assertEqual(len(self.server.requests), asked)
        self.assertRegex(output, r"calls +0\n")
        self.assertRegex(output, r"cache hits +8\n")

    def test_a_killed_run_continues(self):
        prompts = ["furry", "red", "loud"]
        self.server.answers = 6  # generate and validate of all three
        process = self.start_program(*self.command(prompts))
        self.wait_until(lambda: len(self.server.requests) == 9, process)
        self.stop_program(process, signal.SIGKILL)
        self.assertFalse(self.out.exists())
        with open(self.folder / "decompose_cache.jsonl", "a", encoding="utf-8") as cache:
            cache.write('{"key": "torn')
        self.server.answers = float("inf")
        self.server.resume.set()
        output = self.decompose(prompts)
        self.assertRegex(output, r"calls +6\n")
        resumed = self.out.read_bytes()
        self.decompose(prompts, "--cache", self.folder / "fresh.jsonl")
        self.assertEqual(self.out.read_bytes(), resumed)

    def test_says_which_prompts_were_dropped_and_why(self):
        self.server.refused = ("red",)
        self.server.broken = ("loud",)
        output = self.decompose(["furry", "red", "loud"], "--attempts", 3)
        self.assertEqual([record["original_index"] for record in records_of(self.out)], [0])
        self.assertRegex(output, r"dropped +2\n")
        self.assert_mentions(output, "1 'red': validate: the prompt does not require 'Is it red?': optional",
                             "2 'loud': generate: the reply holds no JSON array (after 3 attempts)")

    def test_a_rerun_asks_for_dropped_prompts_again(self):
        self.server.broken = ("furry", "red")
        output = self.decompose(["furry", "red"], status=support.REWARD)
        self.assert_mentions(output, "generate: the reply holds no JSON array", "decompose_cache.jsonl",
                             "the same command asks for dropped prompts again")
        self.server.broken = ()
        self.decompose(["furry", "red"])
        self.assertEqual(len(records_of(self.out)), 2)

    def test_stops_when_the_first_prompts_all_fail(self):
        prompts = [f"prompt {number}" for number in range(30)]
        self.server.broken = prompts
        output = self.decompose(prompts, "--attempts", 2, status=support.REWARD)
        self.assert_mentions(output, "one of the first 10 prompts", "the reply holds no JSON array")
        self.assertEqual(len(self.server.requests), 20)
        self.assertFalse(self.out.exists())

    def test_prompts_without_a_reply_are_asked_again(self):
        self.server.failing = ("red",)
        output = self.decompose(["furry", "red"], status=support.REWARD)
        self.assert_mentions(output, "1 'red': no reply", "the same command asks for them again")
        self.assertEqual(len(records_of(self.out)), 1)
        self.server.failing = ()
        self.decompose(["furry", "red"])
        self.assertEqual(len(records_of(self.out)), 2)

    def test_rules_know_every_shapes_prompt(self):
        output = self.run_program("decompose", "--rules", "shapes", "--family", "all", "--split", "validation", "--out",
                                  self.out)
        records = records_of(self.out)
        self.assertGreater(len(records), 100)
        self.assertEqual([record["original_index"] for record in records], list(range(len(records))))
        self.assertRegex(output, r"dropped +0\n")
        prompts = self.folder / "prompts.jsonl"
        lines = [{"prompt": records[-1]["prompt"]}, {"prompt": "a zeppelin"},
                 {"prompt": "three red circles", "colour": "röt"}, {"prompt": "two blue squares"}]
        prompts.write_text("".join(json.dumps(line) + "\n" for line in lines))
        again = self.folder / "again/questions.jsonl"
        output = self.run_program("decompose", prompts, "--rules", "shapes", "--out", again, "--limit", 3)
        self.assert_mentions(output, "1 'a zeppelin': neither a prompt nor a caption of the shapes world")
        first, second = records_of(again)
        self.assertEqual(first["semantic_questions"], records[-1]["semantic_questions"])
        self.assertEqual((second["prompt"], second["original_index"]), ("three red circles", 2))
        self.assertEqual(second["colour"], "röt")
        self.assertIn("Are there exactly three red circles?",
                      [question["question"] for question in second["semantic_questions"]])

    def test_errors_name_what_would_do(self):
        prompts = self.folder / "prompts.txt"
        prompts.write_text("a zeppelin\n")
        output = self.run_program("decompose", "--out", self.out, status=support.USAGE)
        self.assert_mentions(output, "a file of prompts", "--family")
        output = self.run_program("decompose", prompts, "--rules", "shapes", "--out", self.out, status=support.DATA)
        self.assert_mentions(output, "a zeppelin", "nothing was written")
        self.assertFalse(self.out.exists())
        output = self.run_program("decompose", prompts, "--out", self.out, status=support.CONFIG)
        self.assert_mentions(output, "URL")
        output = self.decompose(["a cat"], "--templates", self.folder, status=support.IO)
        self.assert_mentions(output, "generate.txt")
        self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    unittest.main()
