#!/usr/bin/env python3
"""A model that is none: answers the HTTP APIs that agents' programs speak, on this machine alone.

    stub.py PORT_FILE [LOG]

It writes its port into PORT_FILE when it can be asked, and what it is asked into LOG, a JSON object on each line. It answers with
`stub: ` and the end of the task. A task with the word USE_TOOL is answered with a call of a shell first, one with FAIL_400 with that
status. It ends when its standard input does.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = open(sys.argv[2], "a") if len(sys.argv) > 2 else None
COMMAND = "echo a-tool-ran"


def text_of(content):
    """The text in what an API calls content: a text, or blocks."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(block.get("text", "")) if isinstance(block, dict) else str(block) for block in content)
    return ""


def shell_tool(names, wanted):
    """The name of the tool that runs commands, if there is one."""
    return next((name for name in wanted if name in names), None)


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(200, {})

    def do_GET(self):
        self.answer(200, {"data": [{"id": "stub-1", "object": "model"}], "models": [{"name": "models/stub-1"}]})

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length) if length else self.chunks()
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        path = self.path.split("?")[0]
        if LOG:
            headers = {key.lower(): value for key, value in self.headers.items()}
            LOG.write(json.dumps({"path": path, "headers": headers, "body": body}) + "\n")
            LOG.flush()
        if path.endswith("/count_tokens") or path.endswith(":countTokens"):
            return self.answer(200, {"input_tokens": 12, "totalTokens": 12})
        for end, speak in [
            ("/messages", self.messages),
            ("/responses", self.respond),
            ("/chat/completions", self.completions),
            (":streamGenerateContent", self.generate),
            (":generateContent", self.generate),
        ]:
            if path.endswith(end):
                return speak(body)
        return self.answer(404, {"error": {"message": "the stub knows no " + path}})

    def chunks(self):
        data = b""
        while "chunked" in (self.headers.get("transfer-encoding") or ""):
            size = int(self.rfile.readline().strip() or b"0", 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                break
        return data

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def stream(self, events):
        data = b""
        for name, event in events:
            if name:
                data += b"event: " + name.encode() + b"\n"
            data += b"data: " + (event if isinstance(event, str) else json.dumps(event)).encode() + b"\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @staticmethod
    def said(task):
        return "stub: " + task.strip()[-60:]

    def messages(self, body):
        users = [message for message in body.get("messages", []) if message.get("role") == "user"]
        task = text_of(users[-1]["content"]) if users else ""
        after_tool = any(
            isinstance(block, dict) and block.get("type") == "tool_result"
            for block in (users[-1]["content"] if users and isinstance(users[-1]["content"], list) else [])
        )
        if "FAIL_400" in task:
            return self.answer(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "the stub refuses"}})
        names = [tool.get("name") for tool in body.get("tools", [])]
        shell = shell_tool(names, ["Bash"])
        forced = (body.get("tool_choice") or {}).get("name") or ("StructuredOutput" if "StructuredOutput" in names else "")
        if forced and not after_tool:
            block = {"type": "tool_use", "id": "toolu_9", "name": forced, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps({"answer": "stub"})}
            stop = "tool_use"
        elif "USE_TOOL" in task and shell and not after_tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": shell, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps({"command": COMMAND})}
            stop = "tool_use"
        else:
            block = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": self.said(task)}
            stop = "end_turn"
        usage = {"input_tokens": 12, "output_tokens": 1}
        message = {"id": "msg_%d" % len(users), "type": "message", "role": "assistant", "model": body.get("model"), "content": [], "stop_reason": None, "usage": usage}
        if not body.get("stream"):
            message.update(content=[{"type": "text", "text": self.said(task)}], stop_reason="end_turn")
            return self.answer(200, message)
        self.stream([
            ("message_start", {"type": "message_start", "message": message}),
            ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}),
            ("content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}),
            ("content_block_stop", {"type": "content_block_stop", "index": 0}),
            ("message_delta", {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 7}}),
            ("message_stop", {"type": "message_stop"}),
        ])

    def respond(self, body):
        items = body.get("input", [])
        items = items if isinstance(items, list) else [{"role": "user", "content": items}]
        users = [item for item in items if item.get("role") == "user"]
        task = text_of(users[-1]["content"]) if users else ""
        if "FAIL_400" in task:
            return self.answer(400, {"error": {"message": "the stub refuses", "type": "invalid_request_error"}})
        names = [tool.get("name") for tool in body.get("tools", [])]
        shell = shell_tool(names, ["exec_command", "shell_command", "shell"])
        after_tool = any(item.get("type") == "function_call_output" for item in items)
        if "USE_TOOL" in task and shell and not after_tool:
            arguments = {"exec_command": {"cmd": COMMAND}, "shell_command": {"command": COMMAND}}.get(shell, {"command": ["sh", "-c", COMMAND]})
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": shell, "arguments": json.dumps(arguments)}
        else:
            said = json.dumps({"answer": "stub"}) if (body.get("text") or {}).get("format") else self.said(task)
            item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": said}]}
        usage = {"input_tokens": 12, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 19}
        self.stream([
            ("response.created", {"type": "response.created", "response": {"id": "resp_1"}}),
            ("response.output_item.done", {"type": "response.output_item.done", "output_index": 0, "item": item}),
            ("response.completed", {"type": "response.completed", "response": {"id": "resp_1", "output": [item], "usage": usage}}),
        ])

    def completions(self, body):
        messages = body.get("messages", [])
        users = [message for message in messages if message.get("role") == "user"]
        task = text_of(users[-1]["content"]) if users else ""
        if "FAIL_400" in task:
            return self.answer(400, {"error": {"message": "the stub refuses", "type": "invalid_request_error"}})
        names = [tool.get("function", {}).get("name") for tool in body.get("tools", [])]
        shell = shell_tool(names, ["bash"])
        usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
        if "USE_TOOL" in task and shell and not any(message.get("role") == "tool" for message in messages):
            call = {"name": shell, "arguments": json.dumps({"command": COMMAND, "description": "says something"})}
            delta, stop = {"role": "assistant", "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]}, "tool_calls"
        else:
            said = json.dumps({"answer": "stub"}) if body.get("response_format") else self.said(task)
            delta, stop = {"role": "assistant", "content": said}, "stop"
        chunk = lambda choices, **more: {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body.get("model"), "choices": choices, **more}
        if not body.get("stream"):
            message = {"index": 0, "message": {"role": "assistant", "content": self.said(task)}, "finish_reason": "stop"}
            return self.answer(200, {"id": "c1", "object": "chat.completion", "created": 1, "model": body.get("model"), "choices": [message], "usage": usage})
        self.stream([
            ("", chunk([{"index": 0, "delta": delta, "finish_reason": None}])),
            ("", chunk([{"index": 0, "delta": {}, "finish_reason": stop}])),
            ("", chunk([], usage=usage)),
            ("", "[DONE]"),
        ])

    def generate(self, body):
        contents = body.get("contents", [])
        users = [content for content in contents if content.get("role") == "user"]
        task = "\n".join(part.get("text", "") for content in users for part in content.get("parts", []))
        if "FAIL_400" in task:
            return self.answer(400, {"error": {"code": 400, "message": "the stub refuses", "status": "INVALID_ARGUMENT"}})
        names = [one.get("name") for tool in body.get("tools", []) for one in tool.get("functionDeclarations", [])]
        shell = shell_tool(names, ["run_shell_command"])
        after_tool = any("functionResponse" in part for content in contents for part in content.get("parts", []))
        if (body.get("generationConfig") or {}).get("responseMimeType") == "application/json":
            part = {"text": json.dumps({"complexity_reasoning": "none", "complexity_score": 1, "reasoning": "none", "model_choice": "flash", "next_speaker": "user"})}
        elif "USE_TOOL" in task and shell and not after_tool:
            part = {"functionCall": {"name": shell, "args": {"command": COMMAND}}}
        else:
            part = {"text": self.said(task)}
        answer = {
            "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19},
        }
        if ":stream" in self.path:
            self.stream([("", answer)])
        else:
            self.answer(200, answer)


server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.replace(sys.argv[1] + ".new", sys.argv[1])
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
