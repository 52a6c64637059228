// The inspector's command line against the real executable:
// node inspector.mjs URL SAGE DATA_DIR, with the packages of package.json beside this file.
//
// One process for each call, as a person at a terminal would use it; it speaks the legacy protocol.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const DEADLINE_MS = 60_000;
const TOOLS = [
  'forget', 'get_context', 'get_memory', 'get_status', 'manage_session', 'remember',
  'save_conversation', 'search_memory',
].join();
const NOTE = 'The bakery opens at five, because the trains start at half past.';
const PROGRAM = fileURLToPath(new URL('node_modules/.bin/mcp-inspector', import.meta.url));

const [url, sage, dataDir] = process.argv.slice(2);

function inspect(name, target) {
  const check = (what, holds, got) => {
    if (!holds) {
      console.error(`FAILED inspector ${name}: ${what}:`, got);
      process.exit(1);
    }
    console.log(`ok inspector ${name}: ${what}`);
  };
  const ask = (...args) => {
    const line = [PROGRAM, '--cli', ...target, ...args];
    return JSON.parse(execFileSync(process.execPath, line, { timeout: DEADLINE_MS }));
  };
  const call = (tool, argument) => {
    const result = ask('--method', 'tools/call', '--tool-name', tool, '--tool-arg', argument);
    return result.isError ? `an error: ${result.content[0].text}` : result.content[0].text;
  };

  // With --strict it fails on a schema that some client is known to refuse.
  const names = ask('--method', 'tools/list', '--strict').tools.map((tool) => tool.name);
  check('tools/list --strict', names.sort().join() === TOOLS, names);
  const kept = call('remember', `content=${NOTE}`);
  check('remember', kept.startsWith(`project: inspector/${name} (by flag)\n`), kept);
  const found = call('search_memory', 'query=when does the bakery open');
  check('search_memory', found.includes('opens at five'), found);
  const uris = ask('--method', 'resources/list').resources.map((resource) => resource.uri);
  check('resources/list', uris.includes('sage://status'), uris);
  const prompts = ask('--method', 'prompts/list').prompts.map((prompt) => prompt.name);
  check('prompts/list', prompts.join() === 'recall,handoff', prompts);
}

inspect('http', [url, '--transport', 'http', '--header', 'Sage-Project: inspector/http']);
inspect('stdio', [sage, 'mcp', '--project', 'inspector/stdio', '--data-dir', dataDir]);
