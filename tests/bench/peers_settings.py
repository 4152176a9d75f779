"""How each agent is set up for the benchmark of kills: to lose as little as its manual offers, one socket in, one
Kafka topic out."""

import os

RSYSLOG = """
global(workDirectory="{folder}")
module(load="imptcp")
module(load="omkafka")
template(name="raw" type="string" string="%rawmsg%")
input(type="imptcp" path="{path}" ruleset="out")
ruleset(name="out" queue.type="Disk" queue.filename="out" queue.maxDiskSpace="2g" queue.checkpointInterval="100"
        queue.saveOnShutdown="on") {{
    action(type="omkafka" broker=["{brokers}"] topic="{topic}" template="raw" confParam=["acks=all"]
           resubmitOnFailure="on" keepFailedMessages="on" failedMsgFile="{folder}/failed"
           action.resumeRetryCount="-1" action.resumeInterval="1")
}}
"""

SYSLOG_NG = """
@version: 3.38
options {{ stats-freq(0); }};
source in {{ unix-stream("{path}" flags(no-parse)); }};
destination out {{
    kafka-c(bootstrap-servers("{brokers}") topic("{topic}") message("${{MESSAGE}}") time-reopen(1)
            config("acks" => "all")
            disk-buffer(disk-buf-size(1073741824) mem-buf-size(10485760) reliable(yes) dir("{folder}")));
}};
log {{ source(in); destination(out); flags(flow-control); }};
"""

OTELCOL = """
extensions: {{file_storage: {{directory: {folder}/queue, create_directory: true}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "{path}", transport: unix}}}}}}
exporters:
  kafka:
    brokers: ["{brokers}"]
    logs: {{topic: {topic}, encoding: raw}}
    producer: {{required_acks: -1}}
    retry_on_failure: {{enabled: true, max_elapsed_time: 0s, initial_interval: 200ms, max_interval: 2s}}
    sending_queue: {{enabled: true, storage: file_storage, sizer: items, queue_size: 2000000,
                    block_on_overflow: true}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [{receiver}], exporters: [kafka]}}}}
"""

SLUICE = """
socket: {{path: {path}}}
otlp_listen: ""
http: {{listen: ""}}
spool: {{path: {folder}/spool, durability: process}}
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: {topic}}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
"""


def libraries(root):
    """Where a package that was unpacked, not installed, has its libraries."""
    places = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng")
    return {"LD_LIBRARY_PATH": ":".join(os.path.join(root, place) for place in places)}


class Peer:
    def __init__(self, text, command, otlp=False, **more):
        self.text, self.command, self.otlp, self.more = text, command, otlp, more

    def prepare(self, options, folder, path, brokers, topic):
        """The command that runs it, and its environment."""
        config = os.path.join(folder, "config")
        with open(config, "w", encoding="utf-8") as file:
            file.write(self.text.format(folder=folder, path=path, brokers=brokers, topic=topic, **self.more))
        return self.command(options, folder, config)


def rsyslog(options, folder, config):
    modules = os.path.join(options.peers, "usr/lib/x86_64-linux-gnu/rsyslog")
    return [os.path.join(options.peers, "usr/sbin/rsyslogd"), "-n", "-f", config, "-i", f"{folder}/pid",
            "-M", modules], libraries(options.peers)


def syslog_ng(options, folder, config):
    modules = os.path.join(options.peers, "usr/lib/syslog-ng/3.38")
    return [os.path.join(options.peers, "usr/sbin/syslog-ng"), "-F", "-f", config, "--no-caps",
            "--persist-file", f"{folder}/persist", "--pidfile", f"{folder}/pid", "--control", f"{folder}/control",
            "--module-path", modules], libraries(options.peers)


def otelcol(options, _folder, config):
    return [options.otelcol, "--config", f"file:{config}"], {}


def sluice(options, _folder, config):
    return [os.path.join(options.build, "agent", "sluice"), "run", "--config", config], {}


PEERS = {
    "sluice, lines": Peer(SLUICE, sluice),
    "rsyslog, lines": Peer(RSYSLOG, rsyslog),
    "syslog-ng, lines": Peer(SYSLOG_NG, syslog_ng),
    "sluice, OTLP": Peer(SLUICE, sluice, otlp=True),
    "Collector, OTLP": Peer(OTELCOL, otelcol, otlp=True, receiver="otlp"),
}
