"""The server as clients meet it: the official OpenAI client, plain HTTP, and clients that misbehave."""

import base64
import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import time
import unittest

import png
import support

for packages in sorted((support.REPOSITORY / ".deps/test_venv").glob("lib/python3*/site-packages")):
    sys.path.append(str(packages))
try:
    import openai
except ImportError:
    openai = None

FIXTURES = os.environ.get("DIPTYCH_FIXTURES", str(support.REPOSITORY / "tests/fixtures"))
MODEL = f"{FIXTURES}/bagel_tiny/checkpoint"
KEY = "a-key-that-nobody-may-see"
PATIENCE = 60  # seconds


def picture(folder, shade=40, side=24):
    """PNG bytes of a gradient."""
    file = folder / "picture.png"
    png.write(file, [bytes((shade + 5 * x + 3 * y + 40 * c) % 256 for x in range(side) for c in range(3))
                     for y in range(side)])
    return file.read_bytes()


def data_uri(data):
    return "data:image/png;base64," + base64.b64encode(data).decode()


def question(image=None, text="a photo of a red dog", **fields):
    content = [{"type": "text", "text": text}]
    if image:
        content.insert(0, {"type": "image_url", "image_url": {"url": data_uri(image)}})
    return {"model": "any", "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": 4,
            **fields}


def png_size(data):
    return struct.unpack_from(">II", data, 16)


class ServeTest(support.EndToEndTest):
    def serve(self, *options, model=MODEL):
        """Starts a server and returns its process; self.port is where it listens."""
        process = self.start_program("serve", model, "--port", 0, "--threads", 1, *options)
        self.wait_until(lambda: "listening on" in self.background_output(), process)
        self.port = int(re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.background_output())[1])
        return process

    def request(self, method, path, body=None, headers=None):
        """Returns status, headers and body of the reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()

    def post(self, path, body, status=200, **headers):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        got, _, text = self.request("POST", path, body, {"Content-Type": "application/json", **headers})
        self.assertEqual(got, status, text)
        return json.loads(text)

    def chat(self, body, status=200, **headers):
        return self.post("/v1/chat/completions", body, status, **headers)

    def metric(self, name):
        _, _, text = self.request("GET", "/metrics")
        return int(re.search(rf"(?m)^{name} (\d+)$", text.decode())[1])

    def raw(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def image(self, shade=40):
        return picture(self.folder, shade)


class PlainHttpTest(ServeTest):
    def test_equal_requests_have_equal_answers_whatever_else_runs(self):
        self.serve()
        requests = [question(self.image(20 * (i % 3)), f"a photo of {i} dogs", n=1 + i % 2, seed=i, temperature=i % 2,
                             logprobs=True, top_logprobs=3) for i in range(12)]
        alone = [self.chat(body) for body in requests]
        with concurrent.futures.ThreadPoolExecutor(len(requests)) as pool:
            together = list(pool.map(self.chat, requests))
        for first, second in zip(alone, together):
            for a, b in zip(first["choices"], second["choices"], strict=True):
                self.assertEqual(a["message"], b["message"])
                self.assertEqual(a["finish_reason"], b["finish_reason"])
                for x, y in zip(a["logprobs"]["content"], b["logprobs"]["content"], strict=True):
                    self.assertEqual(x["bytes"], y["bytes"])
                    self.assertAlmostEqual(x["logprob"], y["logprob"], delta=1e-5)

    def test_paints_what_sample_paints(self):
        self.serve()
        painted = self.folder / "out/0000_0.png"

        def sampled(*arguments):
            self.run_program("sample", MODEL, "--threads", 1, "--steps", 2, "--out", painted.parent, *arguments)
            return painted.read_bytes()

        def served(path, **fields):
            reply = self.post(f"/v1/images/{path}", {"prompt": "a ring", "steps": 2, **fields})
            return base64.b64decode(reply["data"][0]["b64_json"])

        for size in ("24x16", "16x24"):
            self.assertEqual(served("generations", seed=5, size=size), sampled("--prompt", "a ring", "--seed", 5, "--size", size))
        uri = data_uri(self.image())
        odd = uri.replace("data:image/png;base64", "DATA:image/jpg;charset=utf-8;BASE64").replace("+", "%2B").replace("=", "")
        edit = sampled("--prompt", "a ring", "--image", self.folder / "picture.png", "--size", "24x40")
        for image in (uri, odd):
            self.assertEqual(served("edits", seed=0, size="24x40", image=image), edit)

    def test_an_image_is_read_once_for_many_questions(self):
        self.serve()
        usages = [self.chat(question(self.image(), f"is there a {thing}?"))["usage"] for thing in ("dog", "cup", "hat")]
        cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in usages]
        self.assertEqual(cached[0], 0)
        self.assertGreater(cached[1], 0)
        self.assertEqual(cached[1], cached[2])
        self.assertEqual(self.metric("diptych_cached_prompt_tokens_total"), 2 * cached[1])

    def test_errors_have_status_and_form(self):
        self.serve("--max-body-mb", 1, "--max-tokens", 50, "--max-context", 60, "--max-image-pixels", 10000)

        def complaint(body, status, path="/v1/chat/completions"):
            error = self.post(path, body, status)["error"]
            self.assertEqual(sorted(error), ["code", "message", "param", "type"])
            return error

        self.assert_mentions(complaint("{nonsense", 400)["message"], "JSON")
        self.assertEqual(complaint(question(max_tokens=0), 400)["param"], "max_tokens")
        self.assertEqual(complaint(question(tool_choice="required"), 400)["code"], "unsupported")
        self.assertEqual(complaint(question(temperature="hot"), 400)["param"], "temperature")
        self.assertEqual(complaint(question(text="dog " * 100), 400)["code"], "context_length_exceeded")
        web = question()
        web["messages"][0]["content"][0] = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
        self.assert_mentions(complaint(web, 400)["message"], "data URI")
        self.assertEqual(complaint(question(self.image()[:60]), 400)["code"], "invalid_image")
        self.assertEqual(complaint(question(picture(self.folder, side=101)), 400)["code"], "invalid_image")
        complaint(b"x" * (1 << 20) + b"x", 413)
        complaint({"prompt": "a cup", "size": "33x33"}, 400, "/v1/images/generations")
        complaint({"prompt": "a cup", "image": "nothing"}, 400, "/v1/images/edits")
        complaint({}, 404, "/v1/embeddings")
        complaint({}, 404, "/" + 8000 * "a")
        complaint({}, 405, "/v1/models")
        self.assertEqual(self.request("GET", "/v1/chat/completions")[0], 405)
        status, _, _ = self.request("POST", "/v1/chat/completions", "x", {"Content-Encoding": "gzip"})
        self.assertEqual(status, 415)
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=" + 70 * "x"):
            for body in (b"", b"--x", b"--x\r\n" + 100000 * b"h", b"--x\r\n\r\n\r\n--x--"):
                self.post("/v1/images/edits", body, 400, **{"Content-Type": kind})
        self.chat(question())

    def test_the_key_is_asked_for_and_never_shown(self):
        os.environ["DIPTYCH_TEST_KEY"] = KEY
        self.addCleanup(os.environ.pop, "DIPTYCH_TEST_KEY")
        self.serve("--api-key-env", "DIPTYCH_TEST_KEY")
        for authorization in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}):
            self.assertEqual(self.chat(question(), 401, **authorization)["error"]["code"], "invalid_api_key")
            self.assertEqual(self.request("GET", "/v1/models", headers=authorization)[0], 401)
        self.chat(question(), 200, Authorization=f"Bearer {KEY}")
        self.assertEqual(self.request("GET", "/health")[0], 200)
        self.assertNotIn(KEY, self.background_output())

    def set_key(self, key):
        os.environ["DIPTYCH_TEST_KEY"] = key
        self.addCleanup(os.environ.pop, "DIPTYCH_TEST_KEY", None)

    def test_a_key_may_come_with_a_line_end(self):
        self.set_key(f" {KEY}\r\n")
        self.serve("--api-key-env", "DIPTYCH_TEST_KEY")
        for authorization in (f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY}"):
            self.chat(question(), 200, Authorization=authorization)
        self.chat(question(), 401, Authorization="Bearer ")

    def test_a_key_that_nobody_can_send_ends_the_server_at_its_start(self):
        for key, fault in (("", "is empty"), (" \t\r\n", "is empty"), ("two\nlines", "control character"),
                           ("tab\tin it", "control character")):
            self.set_key(key)
            output = self.run_program("serve", MODEL, "--api-key-env", "DIPTYCH_TEST_KEY", status=support.USAGE)
            self.assert_mentions(output, fault)
            self.assertNotIn("not set", output)
        self.assert_mentions(self.run_program("serve", MODEL, "--api-key-env", "NOT_SET_ANYWHERE",
                                              status=support.USAGE), "is not set")

    def test_pages_need_leave(self):
        self.serve("--allow-origin", "http://localhost:3000", "--allow-origin", "https://chat.example")
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        for origin in ("http://localhost:3000", "https://chat.example"):
            status, headers, _ = self.request("OPTIONS", "/v1/chat/completions", headers={"Origin": origin, **asks})
            self.assertEqual(status, 204)
            self.assertEqual(headers["Access-Control-Allow-Origin"], origin)
            for path, body in (("/v1/chat/completions", question()), ("/v1/chat/completions", question(stream=True))):
                status, headers, _ = self.request("POST", path, json.dumps(body),
                                                  {"Origin": origin, "Content-Type": "application/json"})
                self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, origin))
        self.chat(question(), 403, Origin="https://evil.example")
        self.assertEqual(self.request("OPTIONS", "/v1/models", headers={"Origin": "https://evil.example"})[0], 405)

    def test_no_value_of_a_field_disturbs_a_neighbour(self):
        self.serve("--max-tokens", 20)
        neighbour = question(self.image(), max_tokens=8, temperature=1, seed=5)
        expected = self.chat(neighbour)["choices"]
        values = [True, -1, 0, 1, 1.5, 1e300, 1 << 64, float("nan"), "", "x" * 10000, "\ud83d", [], [[[]]], {"a": 1}]
        image = data_uri(self.image())
        part = {"type": "image_url", "image_url": {"url": image}}
        bodies = []
        for field in ("messages", "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "n", "seed",
                      "stop", "logprobs", "top_logprobs", "stream", "stream_options", "response_format", "tools",
                      "tool_choice", "logit_bias", "frequency_penalty", "user", "unknown"):
            bodies.append(("/v1/chat/completions", [{**question(), field: value} for value in values]))
        for place in ("role", "content", "name", "tool_calls"):
            bodies.append(("/v1/chat/completions", [{"messages": [{"role": "user", "content": "a", place: value}],
                                                     "max_tokens": 2} for value in values]))
        for place in ("type", "text", "image_url"):
            bodies.append(("/v1/chat/completions", [{"messages": [{"role": "user", "content": [{**part, place: value}]}],
                                                     "max_tokens": 2} for value in values]))
        painting = {"prompt": "a cup", "image": image, "steps": 2, "max_think_tokens": 2, "size": "8x8"}
        for field in ("prompt", "n", "size", "seed", "think", "max_think_tokens", "steps", "guidance", "stream"):
            bodies.append(("/v1/images/generations", [{**painting, field: value} for value in values]))
        for field in ("image", "image_guidance", "mask", "size"):
            bodies.append(("/v1/images/edits", [{**painting, field: value} for value in values]))
        bodies.append(("/v1/images/generations", [{**painting, "steps": steps, "shift": shift} for steps in (1, 30)
                                                  for shift in (0, 0.001, 0.1, 0.3, 0.301, 0.5, 1000)]))

        def status_of(path, body):
            return self.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})[0]

        with concurrent.futures.ThreadPoolExecutor(len(values) + 1) as pool:
            for path, group in bodies:
                beside = pool.submit(self.chat, neighbour)
                for body, status in zip(group, pool.map(status_of, [path] * len(group), group)):
                    self.assertIn(status, (200, 400), str(body)[:500])
                self.assertEqual(beside.result()["choices"], expected, str(group)[:500])
        self.assertNotIn("failed", self.background_output())

    def test_a_full_queue_says_when_to_come_back(self):
        self.serve("--queue", 1, "--sequences", 1)
        long = question(max_tokens=4000, temperature=100, seed=1)
        results = []

        def ask():
            results.append(self.request("POST", "/v1/chat/completions", json.dumps(long)))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        refused = [headers for status, headers, _ in results if status == 429]
        self.assertEqual(len(refused) + sum(status == 200 for status, _, _ in results), 12)
        self.assertGreater(len(refused), 0)
        self.assertTrue(all(headers["Retry-After"] for headers in refused))

    def test_a_request_that_takes_too_long_ends(self):
        self.serve("--request-timeout", 0.2)
        error = self.post("/v1/images/generations", {"prompt": "a cup", "steps": 1000, "n": 8}, 504)["error"]
        self.assertEqual(error["code"], "timeout")
        self.chat(question())

    def test_stopping_finishes_what_is_under_way(self):
        process = self.serve()
        body = {"prompt": "a cup", "steps": 150, "think": False}
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            painted = pool.submit(self.post, "/v1/images/generations", body)
            self.wait_until(lambda: self.metric("diptych_paint_passes_total") > 0, process)
            process.send_signal(signal.SIGTERM)
            self.assertTrue(painted.result(PATIENCE)["data"][0]["b64_json"])
        self.assertEqual(process.wait(PATIENCE), support.OK)

    def test_stopping_does_not_wait_for_ever(self):
        process = self.serve("--drain-timeout", 0.1)
        body = {"prompt": "a cup", "steps": 1000, "n": 8}
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            refused = pool.submit(self.post, "/v1/images/generations", body, 503)
            self.wait_until(lambda: self.metric("diptych_active_requests") > 0, process)
            self.assertEqual(self.stop_program(process, signal.SIGINT), support.OK)
            refused.result(PATIENCE)

    def test_command_line_errors(self):
        self.run_program("serve", self.folder / "none", status=support.MODEL)
        self.run_program("serve", MODEL, "--api-key-env", "NOT_SET_ANYWHERE", status=support.USAGE)
        self.run_program("serve", MODEL, "--image-context", "all", status=support.USAGE)
        self.run_program("serve", MODEL, "--allow-origin", "localhost:3000/chat", status=support.USAGE)
        foreign = self.run_program("serve", MODEL, "--host", "192.0.2.1", status=support.IO)
        self.assert_mentions(foreign, "192.0.2.1", "--host")
        self.assertNotIn("--port 0", foreign)
        self.serve()
        self.assert_mentions(self.run_program("serve", MODEL, "--port", self.port, status=support.IO), self.port,
                             "another program", "--port 0")


class MisbehaviourTest(ServeTest):
    """Whatever one client does, another one is served meanwhile."""

    def setUp(self):
        super().setUp()
        self.process = self.serve("--max-body-mb", 1, "--read-timeout", 2)

    def tearDown(self):
        self.chat(question(self.image()))
        self.assertIsNone(self.process.poll())
        self.assertEqual(self.stop_program(self.process), support.OK)
        self.assertNotIn("bug in diptych", self.background_output())

    def head(self, length, extra=""):
        return f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{extra}\r\n".encode()

    def test_half_a_request_and_silence(self):
        silent = [self.raw() for _ in range(50)]
        for i, connection in enumerate(silent):
            connection.sendall((self.head(1000) + b'{"messages":')[: 1 + 2 * i])
        self.chat(question())

    def test_a_slow_body_is_cut_off(self):
        slow = self.raw()
        slow.sendall(self.head(100))
        start = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() < start + PATIENCE:
                slow.sendall(b"x")
                self.chat(question())
                slow.settimeout(0.2)
                with contextlib.suppress(socket.timeout):
                    if slow.recv(100):
                        break
        self.assertLess(time.monotonic(), start + PATIENCE)

    def test_a_reply_to_an_oversized_body(self):
        for length in (1 << 21, 1 << 40):
            large = self.raw()
            large.sendall(self.head(length) + b"x" * (1 << 16))
            self.assertIn(b" 413 ", large.recv(4096).split(b"\r\n")[0])

    def test_a_chunked_body_without_end(self):
        endless = self.raw()
        endless.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(40):
                endless.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        self.assertIn(b" 413 ", endless.recv(4096).split(b"\r\n")[0])

    def test_garbage(self):
        for garbage in (b"\0" * 1000, b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                        b"GET / HTTP/9.9\r\n\r\n", b"x" * 100000, b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -5\r\n\r\n{}",
                        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
                        b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n"):
            with contextlib.suppress(ConnectionError):
                connection = self.raw()
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)

    def test_headers_that_are_hard_to_match(self):
        ranges = "bytes=" + ",".join(["0-1"] * 2000)
        for header in (f"Range: {ranges[:8000]}\r\n", f"Range: bytes={'1' * 8000}-\r\n",
                       f"Content-Type: multipart/form-data; boundary={'=' * 8000}\r\n",
                       f"Accept-Encoding: {'gzip,' * 1500}\r\n"):
            connection = self.raw()
            connection.sendall(self.head(2, header) + b"{}")
            with contextlib.suppress(ConnectionError):
                connection.recv(4096)

    def test_clients_that_leave(self):
        body = json.dumps(question(max_tokens=4000, temperature=100, stream=True, n=4)).encode()
        for _ in range(8):
            connection = self.raw()
            connection.sendall(self.head(len(body)) + body)
            connection.recv(100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        self.wait_until(lambda: self.metric("diptych_active_requests") == 0, self.process, PATIENCE)

    def test_a_reader_that_does_not_read(self):
        body = json.dumps(question(max_tokens=4000, temperature=100, stream=True, logprobs=True, top_logprobs=20,
                                   n=8)).encode()
        connection = self.raw()
        connection.sendall(self.head(len(body)) + body)
        self.chat(question())


@unittest.skipIf(openai is None, "the package openai is missing; ./dev test installs it")
class OpenAiClientTest(ServeTest):
    def setUp(self):
        super().setUp()
        os.environ["DIPTYCH_TEST_KEY"] = KEY
        self.addCleanup(os.environ.pop, "DIPTYCH_TEST_KEY")
        self.serve("--model-name", "tiny", "--api-key-env", "DIPTYCH_TEST_KEY")
        self.client = openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=KEY, max_retries=0,
                                    timeout=PATIENCE)
        self.addCleanup(self.client.close)

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["tiny"])
        self.assertEqual(self.client.models.retrieve("tiny").id, "tiny")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("other")
        with self.assertRaisesRegex(openai.NotFoundError, "did you mean /v1/models"):
            self.client.with_options(base_url=f"http://127.0.0.1:{self.port}").models.list()

    def test_chat_about_an_image_with_logprobs(self):
        body = question(self.image(), logprobs=True, top_logprobs=5)
        body["messages"].insert(0, {"role": "system", "content": "Answer yes or no."})
        reply = self.client.chat.completions.create(**body)
        choice = reply.choices[0]
        self.assertIn(choice.finish_reason, ("stop", "length"))
        self.assertGreater(len(choice.logprobs.content), 0)
        for token in choice.logprobs.content:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 5)
            # At temperature 0 the token is the most probable one.
            self.assertEqual(token.top_logprobs[0].bytes, token.bytes)
            self.assertAlmostEqual(token.top_logprobs[0].logprob, token.logprob)
        self.assertEqual(bytes(sum((token.bytes for token in choice.logprobs.content), [])).decode(errors="replace"),
                         choice.message.content)
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens)

    def test_stream(self):
        body = question(self.image(), max_tokens=20, temperature=1, seed=3)
        whole = self.client.chat.completions.create(**body)
        chunks = list(self.client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)
        self.assertEqual(chunks[-2].choices[0].finish_reason, whole.choices[0].finish_reason)

    def test_generate_images(self):
        def paint(**more):
            reply = self.client.images.generate(model="tiny", prompt="a photo of a cup", n=2, size="24x16",
                                                extra_body={"seed": 1, "steps": 2, **more})
            return [base64.b64decode(image.b64_json) for image in reply.data], reply

        images, reply = paint()
        self.assertEqual([png_size(data) for data in images], [(24, 16), (24, 16)])
        self.assertNotEqual(images[0], images[1])
        self.assertTrue(all(isinstance(image.thinking, str) for image in reply.data))
        self.assertEqual(paint()[0], images)
        self.assertNotEqual(paint(think=False)[0], images)
        self.assertNotEqual(paint(guidance=4)[0], images)

    def test_edit_images(self):
        files = [("a.png", self.image(10), "image/png"), ("b.png", self.image(90), "image/png")]
        for images in (files, files[0], io.BytesIO(files[1][1])):
            reply = self.client.images.edit(model="tiny", image=images, prompt="make the sky darker", n=2,
                                            extra_body={"steps": 2, "guidance": 2, "image_guidance": 1.5, "think": True})
            self.assertEqual([png_size(base64.b64decode(image.b64_json)) for image in reply.data], [(24, 24), (24, 24)])

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(**question(top_logprobs=3))
        self.assertEqual(caught.exception.param, "top_logprobs")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.images.generate(model="tiny", prompt="a cup", stream=True)
        self.assertEqual((caught.exception.param, caught.exception.code), ("stream", "unsupported"))
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").models.list()


if __name__ == "__main__":
    unittest.main()
