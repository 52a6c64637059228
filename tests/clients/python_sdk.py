"""The official Python client against the real executable: python_sdk.py URL SAGE DATA_DIR

URL leads to a running `sage serve`, SAGE is the executable, which is started for stdio. Every
conversation has a project of its own and is held in both generations of the protocol.
"""

import asyncio
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

DEADLINE_SECONDS = 60
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
TOOLS = ["forget", "get_context", "get_memory", "get_status", "manage_session", "remember",
         "save_conversation", "search_memory"]
NOTE = "The night heron nests in tower seven, because the lamp there is broken."


class Checks:
    """Prints a line per check; the first that fails ends the run."""

    def __init__(self, name):
        self.name = name

    def __call__(self, what, holds, got=""):
        if not holds:
            sys.exit(f"FAILED {self.name}: {what}: {got}")
        print(f"ok {self.name}: {what}", flush=True)


def text_of(result):
    assert not result.is_error, result
    return "\n".join(part.text for part in result.content)


async def converse(client, mode, project, check):
    version = client.protocol_version
    check(f"speaks {VERSIONS[mode]}", version == VERSIONS[mode], version)
    check("has instructions", "long-term memory" in (client.instructions or ""))
    await use_tools(client, project, check)
    await read_resources(client, check)
    await use_prompts(client, check)


async def use_tools(client, project, check):
    names = sorted(tool.name for tool in (await client.list_tools()).tools)
    check("tools/list", names == TOOLS, names)

    async def call(name, **arguments):
        return text_of(await client.call_tool(name, arguments))

    kept = await call("remember", content=NOTE, tags=["birds"])
    check("remember", kept.startswith(f"project: {project} (by flag)\n"), kept)
    found = await call("search_memory", query="where does the night heron nest")
    check("search_memory", "tower seven" in found and " note " in found, found)
    context = await call("get_context", query="night heron lamp")
    check("get_context", NOTE in context, context)
    elsewhere = await call("search_memory", query="submarine")
    check("search_memory finds nothing foreign", "tower seven" not in elsewhere, elsewhere)
    result = await client.call_tool("search_memory", {"query": 7})
    check("a wrong argument is an error of the tool", result.is_error, result)
    try:
        result = await client.call_tool("no_such_tool", {})
        check("an unknown tool is refused", False, result)
    except MCPError as error:
        check("an unknown tool is refused", error.error.code == types.INVALID_PARAMS, error)


async def read_resources(client, check):
    uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
    check("resources/list", "sage://status" in uris and "sage://sessions" in uris, uris)
    listed = (await client.list_resource_templates()).resource_templates
    templates = [template.uri_template for template in listed]
    check("resources/templates/list", "sage://memory/{id}" in templates, templates)
    status = (await client.read_resource("sage://status")).contents[0].text
    check("resources/read", "memor" in status, status)


async def use_prompts(client, check):
    made = await client.call_tool(
        "manage_session", {"action": "create", "session": "heron-1", "title": "Heron watch"})
    check("manage_session", "heron-1" in text_of(made), made)
    names = [prompt.name for prompt in (await client.list_prompts()).prompts]
    check("prompts/list", names == ["recall", "handoff"], names)
    recalled = await client.get_prompt("recall", {"query": "night heron"})
    check("prompts/get", NOTE in recalled.messages[0].content.text, recalled)
    ref = types.PromptReference(type="ref/prompt", name="handoff")
    completed = await client.complete(ref, {"name": "session", "value": "heron w"})
    check("completion/complete", completed.completion.values == ["Heron watch"], completed)


async def over_http(url, mode):
    project = f"python/http-{mode}"
    check = Checks(f"python http {mode}")
    async with httpx2.AsyncClient(headers={"Sage-Project": project}) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode) as client:
            await converse(client, mode, project, check)


async def over_stdio(sage, data_dir, mode):
    project = f"python/stdio-{mode}"
    check = Checks(f"python stdio {mode}")
    arguments = ["mcp", "--project", project, "--data-dir", data_dir]
    server = StdioServerParameters(command=sage, args=arguments)
    async with Client(server, mode=mode) as client:
        await converse(client, mode, project, check)
        # The server and this process share their store.
        found = text_of(await client.call_tool(
            "search_memory", {"query": "night heron nest", "scope": "all"}))
        check("finds what was kept over HTTP", f"python/http-{mode}" in found, found)


async def main(url, sage, data_dir):
    for mode in VERSIONS:
        await over_http(url, mode)
        await over_stdio(sage, data_dir, mode)


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), DEADLINE_SECONDS))
