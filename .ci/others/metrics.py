"""Parses metric files with the Prometheus client."""
import sys
from prometheus_client.parser import text_string_to_metric_families

for path in sys.argv[1:]:
    families = list(text_string_to_metric_families(open(path, encoding="utf-8").read()))
    samples = [sample for family in families for sample in family.samples]
    names = {family.name for family in families}
    assert {"flowbind_last_run_timestamp_seconds", "flowbind_last_run_success"} <= names, (path, names)
    assert len({(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples}) == len(samples), path
