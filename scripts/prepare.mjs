// Makes `npm start` and `npm test` work on a fresh clone: installs when the lock file is newer than the last
// install, and builds when asked to. Plain Node, no dependency, because nothing is installed yet when it runs.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = `${root}node_modules/.package-lock.json`
const lock = `${root}package-lock.json`

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (done.status !== 0) process.exit(done.status ?? 1)
}

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  process.stderr.write('bursar: installing dependencies (npm ci) …\n')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}
if (process.argv[2] === 'build') {
  process.stderr.write('bursar: building …\n')
  run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', 'tsconfig.build.json'])
  chmodSync(`${root}dist/cli/main.js`, 0o755)
  run(process.execPath, [`${root}scripts/dashboard.mjs`])
}
