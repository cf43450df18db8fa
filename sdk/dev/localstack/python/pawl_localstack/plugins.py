"""What Pawl replaces in LocalStack so that it needs no Docker: the Lambda executor and DynamoDB Local's launch.

LocalStack finds these through the entry points in pyproject.toml. Nothing here runs at import time, and
each hook imports LocalStack's services lazily, because LocalStack loads services on first use.
"""

import os
import subprocess

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Chosen by LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *args, **kwargs):
        from pawl_localstack.executor import ProcessRuntimeExecutor

        return ProcessRuntimeExecutor


@hooks.on_infra_start()
def use_maven_dynamodb_local():
    """Launch the DynamoDB Local that Maven fetched, in LocalStack's own process group.

    LocalStack would download an archive from a CDN and start the JVM in a session of its own, which
    outlives a LocalStack that is killed. In the same group, one signal to the group ends both.
    """
    lib = os.environ.get("PAWL_DYNAMODB_LOCAL")
    if not lib:
        return
    from localstack.services.dynamodb import server
    from localstack.utils.run import ShellCommandThread
    from localstack.utils.threads import TMP_THREADS

    class DynamoDbLocalThread(ShellCommandThread):
        def do_run_cmd(self):
            with open(os.environ.get("PAWL_DYNAMODB_LOG", os.devnull), "ab") as log:
                self.process = subprocess.Popen(
                    self.cmd,
                    env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self.started.set()
            self.process.wait()

    def command(self):
        storage = ["-dbPath", self.db_path] if self.db_path else ["-inMemory"]
        return [
            os.environ.get("PAWL_JAVA", "java"),
            *self._get_java_vm_options(),
            f"-Xmx{self.heap_size}",
            # Two cores and one small heap: the serial collector starts faster and keeps no threads busy.
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dsqlite4java.library.path={lib}",
            "-cp",
            f"{lib}/*",
            "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
            "-port",
            str(self.port),
            *storage,
            *(["-sharedDb"] if self.share_db else []),
            *(["-delayTransientStatuses"] if self.delay_transient_statuses else []),
        ]

    def start_thread(self):
        thread = DynamoDbLocalThread(command(self), auto_restart=True, name="dynamodb-local")
        TMP_THREADS.append(thread)
        thread.start()
        return thread

    server.DynamodbServer.do_start_thread = start_thread


@hooks.on_infra_start()
def pass_client_context():
    """LocalStack drops the client context on its way to the environment: hand it to our executor."""
    from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment

    invoke = ExecutionEnvironment.invoke

    def invoke_with_client_context(self, invocation):
        self.runtime_executor.client_context = invocation.client_context
        return invoke(self, invocation)

    ExecutionEnvironment.invoke = invoke_with_client_context
