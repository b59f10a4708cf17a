"""Baseline for the benchmark, a simple script instead of flowbind: compares YAML files with a tenant over httpx.

    httpx_plan.py [--apply] GRAPH_URL FOLDER

Reads the connectors and each flow's configuration with eight concurrent requests, honours `Retry-After`, and
prints the differences. With --apply it also makes the changes and reads them back. The token is in
GRAPH_TOKEN. Nothing here is slow on purpose, so that the comparison is fair.
"""
import argparse
import asyncio
import os
import pathlib

import httpx
import yaml

CONCURRENT_REQUESTS = 8
ATTEMPTS = 12
VERIFY_SECONDS = 60
STEPS = ["postFederationSignup", "postAttributeCollection"]
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Graph:
    def __init__(self, url, client):
        self.url = url
        self.client = client
        self.slots = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def send(self, method, url, **options):
        async with self.slots:
            for attempt in range(ATTEMPTS):
                response = await self.client.request(method, url, **options)
                if response.status_code not in (429, 503):
                    response.raise_for_status()
                    return response
                # Keeps its slot, because another request would also be throttled.
                await asyncio.sleep(float(response.headers.get("Retry-After", 2**attempt)))
        raise RuntimeError(f"{method} {url}: still {response.status_code} after {ATTEMPTS} attempts")

    async def connectors(self):
        connectors, url = [], f"{self.url}/identity/apiConnectors"
        while url:
            page = (await self.send("GET", url)).json()
            connectors += page["value"]
            url = page.get("@odata.nextLink")
        return connectors

    def configuration_url(self, flow):
        kind = "b2cUserFlows" if flow.startswith("B2C_") else "b2xUserFlows"
        return f"{self.url}/identity/{kind}/{flow}/apiConnectorConfiguration"

    async def bindings(self, flow):
        url = f"{self.configuration_url(flow)}?$expand={','.join(STEPS)}"
        configuration = (await self.send("GET", url)).json()
        return {step: (configuration.get(step) or {}).get("id") for step in STEPS}

    async def bind(self, flow, step, connector):
        body = {"@odata.id": f"{self.url}/identity/apiConnectors/{connector}"} if connector else {}
        await self.send("PUT", f"{self.configuration_url(flow)}/{step}/$ref", json=body)


def desired_bindings(file, connectors):
    """Returns the desired connector ids of a file, by flow and step."""
    ids = {connector["displayName"]: connector["id"] for connector in connectors}
    names = file.get("connectors", {})
    return {
        flow: {step: name and ids[names.get(name, name)] for step, name in steps.items()}
        for flow, steps in file["flows"].items()
    }


async def read_back(graph, changes):
    for _ in range(VERIFY_SECONDS):
        flows = list({flow for flow, _, _ in changes})
        current = dict(zip(flows, await asyncio.gather(*map(graph.bindings, flows))))
        changes = [(flow, step, new) for flow, step, new in changes if current[flow][step] != new]
        if not changes:
            return
        await asyncio.sleep(1)
    raise RuntimeError(f"not bound: {changes}")


async def tenant(graph, file, apply):
    connectors, *current = await asyncio.gather(graph.connectors(), *map(graph.bindings, file["flows"]))
    current = dict(zip(file["flows"], current))
    names = {connector["id"]: connector["displayName"] for connector in connectors}
    changes = []
    print(file["tenant"])
    for flow, steps in desired_bindings(file, connectors).items():
        for step, new in steps.items():
            old = current[flow][step]
            if old != new:
                sign = "+" if not old else "~" if new else "-"
                print(f"  {sign} {flow} {step}: {names.get(old, old)} -> {names.get(new, new)}")
                changes.append((flow, step, new))
    print(f"{len(changes)} changes")
    if apply and changes:
        await asyncio.gather(*(graph.bind(*change) for change in changes))
        await read_back(graph, changes)
        print("applied")


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--apply", action="store_true")
    arguments.add_argument("graph_url")
    arguments.add_argument("folder", type=pathlib.Path)
    arguments = arguments.parse_args()
    headers = {"Authorization": f"Bearer {os.environ['GRAPH_TOKEN']}"}
    limits = httpx.Limits(max_connections=CONCURRENT_REQUESTS, max_keepalive_connections=CONCURRENT_REQUESTS)
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=30) as client:
        graph = Graph(arguments.graph_url, client)
        for path in sorted(arguments.folder.glob("*.yaml")):
            with path.open(encoding="utf-8") as text:
                file = yaml.load(text, Loader)
            await tenant(graph, file, arguments.apply)


if __name__ == "__main__":
    asyncio.run(main())
