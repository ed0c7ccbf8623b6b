"""Metrics over HTTP: what sources tell, in the form Prometheus reads, and nothing in the way."""

import logging
import shutil
import socket
import subprocess
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from advanced_mm.metrics.server import MetricsServer
from advanced_mm.metrics.table import METRICS, Sample


def text_of(port):
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return answer.read().decode()


def values_of(text):
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in families
        for sample in family.samples
    }


def everything():
    for number, metric in enumerate(METRICS):
        yield Sample(metric.name, number, tuple(f"a {label}" for label in metric.labels))


def test_all_metrics_of_the_table_are_read_back_with_labels_and_types():
    sources = [s for s in everything() if s.metric != "metrics_errors_total"]
    with MetricsServer(0, lambda: sources) as server:
        text = text_of(server.port)
    values = values_of(text)
    for sample in sources:
        labels = tuple(sorted(sample.labels))
        assert values[f"advanced_mm_{sample.metric}", labels] == sample.value
    for metric in METRICS:
        assert f"# TYPE {metric.full_name} {metric.kind}\n" in text
    assert values["advanced_mm_metrics_errors_total", ()] == 0
    assert ("process_resident_memory_bytes", ()) in values


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus")
def test_promtool_finds_no_fault_in_their_names():
    with MetricsServer(0, everything) as server:
        lines = text_of(server.port).splitlines(keepends=True)
    ours = "".join(line for line in lines if "advanced_mm" in line and "errors_total" not in line)
    check = ["promtool", "check", "metrics"]
    done = subprocess.run(check, input=ours, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_source_that_fails_is_counted_and_hides_no_other(caplog):
    def broken():
        yield Sample("messages_total", 1.0)
        raise KeyError("what")

    with MetricsServer(0, broken, lambda: [Sample("gaps_total", 2.0)]) as server:
        text_of(server.port)
        values = values_of(text_of(server.port))
    assert values["advanced_mm_gaps_total", ()] == 2
    assert values["advanced_mm_metrics_errors_total", ()] == 2
    assert ("advanced_mm_messages_total", ()) not in values
    assert caplog.text.count("some metrics cannot be had: KeyError('what')") == 1


def test_a_taken_port_is_said_and_stops_nothing(caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with MetricsServer(port, everything) as server:
            assert server.port == 0
    (record,) = (r for r in caplog.records if r.levelno == logging.ERROR)
    assert f"port {port} of 127.0.0.1 cannot be had" in record.getMessage()


def test_it_listens_on_the_loopback_alone_and_frees_its_port():
    server = MetricsServer(0, everything)
    port = server.port
    assert server._server.server_address[0] == "127.0.0.1"
    server.close()
    with pytest.raises(URLError):
        text_of(port)
