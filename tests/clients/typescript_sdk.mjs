// The official TypeScript client against the real executable:
// node typescript_sdk.mjs URL SAGE DATA_DIR, with the packages of package.json beside this file.
//
// URL leads to a running `sage serve`, SAGE is the executable, which is started for stdio. Every
// conversation has a project of its own and is held in both generations of the protocol.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const DEADLINE_MS = 60_000;
const VERSIONS = { auto: '2026-07-28', legacy: '2025-11-25' };
const TOOLS = [
  'forget', 'get_context', 'get_memory', 'get_status', 'manage_session', 'remember',
  'save_conversation', 'search_memory',
].join();
const NOTE = 'The ferry leaves from pier nine, because pier two is being dredged.';

const [url, sage, dataDir] = process.argv.slice(2);
setTimeout(() => fail('the whole run', 'took too long'), DEADLINE_MS).unref();

function fail(what, got) {
  console.error(`FAILED ${what}:`, got);
  process.exit(1);
}

// Prints a line per check; the first that fails ends the run.
function checks(name) {
  return (what, holds, got) => {
    if (!holds) fail(`${name}: ${what}`, got);
    console.log(`ok ${name}: ${what}`);
  };
}

function textOf(result) {
  if (result.isError) fail('a tool', result);
  return result.content.map((part) => part.text).join('\n');
}

async function converse(client, mode, project, check) {
  const version = client.getNegotiatedProtocolVersion();
  check(`speaks ${VERSIONS[mode]}`, version === VERSIONS[mode], version);
  check('has instructions', client.getInstructions()?.includes('long-term memory'));
  await useTools(client, project, check);
  await readResources(client, check);
  await usePrompts(client, check);
}

async function useTools(client, project, check) {
  const names = (await client.listTools()).tools.map((tool) => tool.name).sort().join();
  check('tools/list', names === TOOLS, names);

  const call = async (name, args) => textOf(await client.callTool({ name, arguments: args }));
  const kept = await call('remember', { content: NOTE, key: 'ferry' });
  check('remember', kept.startsWith(`project: ${project} (by flag)\n`), kept);
  const found = await call('search_memory', { query: 'where does the ferry leave' });
  check('search_memory', found.includes('pier nine') && found.includes(' note '), found);
  const context = await call('get_context', { query: 'ferry pier' });
  check('get_context', context.includes(NOTE), context);
  const elsewhere = await call('search_memory', { query: 'submarine' });
  check('search_memory finds nothing foreign', !elsewhere.includes('pier nine'), elsewhere);
  const wrong = await client.callTool({ name: 'search_memory', arguments: { query: 7 } });
  check('a wrong argument is an error of the tool', wrong.isError === true, wrong);
  const refused = await client.callTool({ name: 'no_such_tool', arguments: {} }).catch((e) => e);
  check('an unknown tool is refused', refused.code === -32602, refused);
}

async function readResources(client, check) {
  const uris = (await client.listResources()).resources.map((resource) => resource.uri);
  check('resources/list', uris.includes('sage://status') && uris.includes('sage://sessions'), uris);
  const { resourceTemplates } = await client.listResourceTemplates();
  const templates = resourceTemplates.map((template) => template.uriTemplate);
  check('resources/templates/list', templates.includes('sage://memory/{id}'), templates);
  const status = (await client.readResource({ uri: 'sage://status' })).contents[0].text;
  check('resources/read', status.includes('memor'), status);
}

async function usePrompts(client, check) {
  const session = { action: 'create', session: 'ferry-1', title: 'Ferry plans' };
  const made = textOf(await client.callTool({ name: 'manage_session', arguments: session }));
  check('manage_session', made.includes('ferry-1'), made);
  const names = (await client.listPrompts()).prompts.map((prompt) => prompt.name).join();
  check('prompts/list', names === 'recall,handoff', names);
  const recalled = await client.getPrompt({ name: 'recall', arguments: { query: 'ferry' } });
  check('prompts/get', recalled.messages[0].content.text.includes(NOTE), recalled);
  const { completion } = await client.complete({
    ref: { type: 'ref/prompt', name: 'handoff' },
    argument: { name: 'session', value: 'ferry p' },
  });
  check('completion/complete', completion.values.join() === 'Ferry plans', completion);
}

async function hold(transport, mode, project, check) {
  const info = { name: 'typescript-sdk-test', version: '1' };
  const client = new Client(info, { versionNegotiation: { mode } });
  await client.connect(transport);
  await converse(client, mode, project, check);
  return client;
}

async function overHttp(mode) {
  const project = `typescript/http-${mode}`;
  const check = checks(`typescript http ${mode}`);
  const requestInit = { headers: { 'Sage-Project': project } };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
  const client = await hold(transport, mode, project, check);
  const hasSession = transport.sessionId !== undefined;
  check('has a session only in the legacy mode', hasSession === (mode === 'legacy'));
  if (hasSession) {
    await transport.terminateSession();
    check('ends its session', transport.sessionId === undefined, transport.sessionId);
  }
  await client.close();
}

async function overStdio(mode) {
  const project = `typescript/stdio-${mode}`;
  const check = checks(`typescript stdio ${mode}`);
  const args = ['mcp', '--project', project, '--data-dir', dataDir];
  const client = await hold(new StdioClientTransport({ command: sage, args }), mode, project, check);
  // The server and this process share their store.
  const query = { query: 'ferry pier', scope: 'all' };
  const found = textOf(await client.callTool({ name: 'search_memory', arguments: query }));
  check('finds what was kept over HTTP', found.includes(`typescript/http-${mode}`), found);
  await client.close();
}

for (const mode of Object.keys(VERSIONS)) {
  await overHttp(mode);
  await overStdio(mode);
}
