"""One execution environment of a Lambda function as one Node process: the executor that LocalStack calls.

LocalStack creates one executor per environment and gives it one invocation at a time. The process talks
over a socket pair, one JSON message per line, so its death in whatever
way is an end of file here, at once, and the death of LocalStack is an end of file there.

As on Lambda, an environment outlives its process: after a timeout or a crash the next invocation starts
a fresh process in the same environment. Not simulated: freezing between invocations, layers, extensions.
"""

import json
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import (
    LambdaRuntimeException,
    RuntimeExecutor,
)

LOG = logging.getLogger(__name__)

BOOTSTRAP = Path(__file__).with_name("bootstrap.mjs")
# A busy process gets this long after SIGTERM to finish its invocation before it is killed.
STOP_GRACE_SEC = 2.0
# A process that has reported a fatal error, or closed its channel, is expected to be gone within this time.
EXIT_GRACE_SEC = 1.0
# What LocalStack stores of one invocation's output: CloudWatch takes batches of up to 1 MiB.
LOG_BYTES_MAX = 256 * 1024


class ProcessEnded(Exception):
    """The other end of the channel is closed: the process is dead or dying."""


class NodeProcess:
    """A running Node process and the channel to it."""

    def __init__(self, command, env, cwd, log_path):
        ours, theirs = socket.socketpair()
        # pass_fds keeps numbers, and the number of a fresh socket is arbitrary: tell the process which it is.
        with theirs, open(log_path, "ab") as log:
            self.popen = subprocess.Popen(
                command,
                env={**env, "PAWL_LAMBDA_CHANNEL_FD": str(theirs.fileno())},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
            )
        self.channel = ours
        self.received = bytearray()

    def alive(self):
        return self.popen.poll() is None

    def send(self, message, deadline):
        self.channel.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            self.channel.sendall(json.dumps(message).encode() + b"\n")
        except TimeoutError:
            raise
        except OSError as error:
            raise ProcessEnded from error

    def receive(self, deadline):
        """The next message. TimeoutError at `deadline` (None: wait for ever), ProcessEnded at end of file."""
        searched = 0
        while (end := self.received.find(b"\n", searched)) < 0:
            searched = len(self.received)
            if deadline is not None and deadline <= time.monotonic():
                raise TimeoutError
            self.channel.settimeout(None if deadline is None else deadline - time.monotonic())
            try:
                chunk = self.channel.recv(1 << 16)
            except TimeoutError:
                raise
            except OSError as error:
                raise ProcessEnded from error
            if not chunk:
                raise ProcessEnded
            self.received += chunk
        line = bytes(self.received[:end])
        del self.received[: end + 1]
        return json.loads(line)

    def reap(self, grace_sec):
        """The exit status, after killing a process that does not end by itself in time."""
        try:
            return self.popen.wait(grace_sec)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self):
        self.popen.kill()
        return self.popen.wait()

    def close(self):
        self.channel.close()


class ProcessRuntimeExecutor(RuntimeExecutor):
    def __init__(self, id, function_version):
        super().__init__(id=id, function_version=function_version)
        self.client_context = None  # set by the hook in plugins.py before each invocation
        self.process = None
        self.stopped = False
        self.lock = threading.Lock()  # guards `process` and `stopped`: stop() comes from other threads
        self.env = {}
        logs = Path(os.environ.get("PAWL_LAMBDA_LOGS") or Path(config.dirs.tmp) / "lambda-logs")
        logs.mkdir(parents=True, exist_ok=True)
        self.log_path = logs / f"{function_version.id.function_name}-{id}.log"

    # What LocalStack calls

    def start(self, env_vars):
        self.env = self._environment(env_vars)
        failure = self._start_process()
        if failure is not None:
            # The one exception that LocalStack turns into the answer of the invocation.
            raise StatusErrorException("Environment startup failed", payload=failure)

    def stop(self):
        with self.lock:
            self.stopped = True
            process = self.process
        if process is None:
            return
        if process.alive():
            process.popen.terminate()
            process.reap(STOP_GRACE_SEC)
        # The channel is left to the invoking thread, which may be reading it; end of file wakes it up.

    def invoke(self, payload):
        request_id = payload["invoke-id"]
        log_from = self._log_size()
        started = time.monotonic()
        self._log(f"START RequestId: {request_id} Version: {self.env['AWS_LAMBDA_FUNCTION_VERSION']}\n")
        failure = self._replace_dead_process()
        if failure is None:
            started = time.monotonic()
            answer, is_error = self._invoke_process(request_id, payload)
        else:
            answer, is_error = failure, True
        self._log_report(request_id, started)
        return InvocationResult(
            request_id, answer, is_error=is_error, logs=self._log_since(log_from)
        )

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}"

    def get_logs(self):
        return self._log_since(0)

    @classmethod
    def prepare_version(cls, function_version):
        runtime = function_version.config.runtime or "a container image"
        if not runtime.startswith("nodejs"):
            raise LambdaRuntimeException(
                f"without Docker only nodejs runtimes can run, not {runtime}: use LocalStack in Docker"
            )
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass

    # One invocation

    def _invoke_process(self, request_id, payload):
        timeout_sec = self.function_version.config.timeout
        deadline = time.monotonic() + timeout_sec
        message = {
            "requestId": request_id,
            "payload": payload["payload"],
            "functionArn": payload["invoked-function-arn"],
            "traceId": payload.get("trace-id"),
            "clientContext": self.client_context,
            "deadlineMs": int((time.time() + timeout_sec) * 1000),
        }
        process = self.process
        try:
            process.send(message, deadline)
            answer = process.receive(deadline)
        except TimeoutError:
            process.kill()
            return self._timed_out(request_id, timeout_sec), True
        except ProcessEnded:
            return self._exited(request_id, process.reap(EXIT_GRACE_SEC)), True
        if answer.get("fatal"):
            process.reap(EXIT_GRACE_SEC)
        return answer["body"].encode(), answer["kind"] != "response"

    def _timed_out(self, request_id, timeout_sec):
        text = f"Task timed out after {timeout_sec:.2f} seconds"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        self._log(f"{now}Z {request_id} {text}\n")
        return error_body("Sandbox.Timedout", f"RequestId: {request_id} Error: {text}")

    def _exited(self, request_id, status):
        text = exit_text(status)
        self._log(f"RequestId: {request_id} Error: {text}\nRuntime.ExitError\n")
        return error_body("Runtime.ExitError", f"RequestId: {request_id} Error: {text}")

    # The process

    def _replace_dead_process(self):
        """None when a process is ready, else the body of the error that its start has answered."""
        if self.process is not None and self.process.alive():
            return None
        if self.process is not None:
            self.process.close()
        return self._start_process()

    def _start_process(self):
        with self.lock:
            if self.stopped:
                return error_body("Runtime.ExitError", "the environment was stopped before it started")
            process = self.process = NodeProcess(
                self._command(), self.env, self.env["LAMBDA_TASK_ROOT"], self.log_path
            )
        try:
            # LocalStack bounds the first start (LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT) by calling stop(); this
            # bounds a replacement, which LocalStack does not know about.
            answer = process.receive(time.monotonic() + config.LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT + 1)
        except TimeoutError:
            process.kill()
            return error_body("Sandbox.Timedout", "Error: the function's initialization timed out")
        except ProcessEnded:
            text = exit_text(process.reap(EXIT_GRACE_SEC))
            return error_body("Runtime.ExitError", f"Error: {text}")
        if answer["kind"] == "ready":
            return None
        process.reap(EXIT_GRACE_SEC)
        return answer["body"].encode()

    def _command(self):
        memory_mib = int(self.function_version.config.memory_size)
        # The shares of Lambda's own Node runtimes: the rest is for buffers and the runtime itself.
        return [
            os.environ.get("LAMBDA_NODE", "node"),
            f"--max-old-space-size={memory_mib * 90 // 100}",
            f"--max-semi-space-size={max(memory_mib * 5 // 100, 1)}",
            str(BOOTSTRAP),
        ]

    def _environment(self, env_vars):
        env = {name: str(value) for name, value in env_vars.items()}
        env["PATH"] = os.environ.get("PATH", os.defpath)
        code = self.function_version.config.code.get_unzipped_code_location()
        env["LAMBDA_TASK_ROOT"] = str(code)
        env["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{self.function_version.config.runtime}"
        return env

    # Its log: one file per environment, written by the process itself as it goes

    def _log(self, text):
        with open(self.log_path, "ab") as log:
            log.write(text.encode())

    def _log_size(self):
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def _log_since(self, offset):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(max(offset, self._log_size() - LOG_BYTES_MAX))
            return log.read().decode(errors="replace")

    def _log_report(self, request_id, started):
        duration_ms = (time.monotonic() - started) * 1000
        memory_mib = self.function_version.config.memory_size
        self._log(
            f"END RequestId: {request_id}\n"
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {memory_mib} MB\n"
        )


def error_body(error_type, message):
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def exit_text(status):
    """In Lambda's words."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status > 0:
        return f"Runtime exited with error: exit status {status}"
    words = {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGABRT: "aborted"}
    return f"Runtime exited with error: signal: {words.get(-status, signal.Signals(-status).name)}"
