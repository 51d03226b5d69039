#!/usr/bin/env -S node --max-semi-space-size=8
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import { BursarError } from '../errors/index.js'
import { printable } from './table.js'
import { version } from './version.js'

// V8 lets the old heap of a busy server grow to several times what is alive before it looks at it. Doubling is enough, and trades
// some CPU at saturation for memory. The first line of this file keeps the young heap small in the same way; both are only about
// when garbage is collected, never limits. What comes of it: npm run bench:gateway.
setFlagsFromString('--heap-growing-percent=100')

/** Each command in a module of its own, loaded when it is wanted: `serve` should hold nothing in memory that it doesn't use. */
const commands: Readonly<Record<string, (program: Command) => Promise<void>>> = {
  serve: async (program) => (await import('./commands/serve.js')).serveCommand(program),
  check: async (program) => (await import('./commands/check.js')).checkCommand(program),
  models: async (program) => (await import('./commands/models.js')).modelsCommand(program),
  route: async (program) => (await import('./commands/route.js')).routeCommand(program),
  evaluate: async (program) => (await import('./commands/evaluate.js')).evaluateCommand(program),
  replay: async (program) => (await import('./commands/replay.js')).replayCommand(program),
  score: async (program) => (await import('./commands/score.js')).scoreCommand(program),
  predict: async (program) => (await import('./commands/predict.js')).predictCommand(program),
  train: async (program) => (await import('./commands/train.js')).trainCommand(program),
  batch: async (program) => (await import('./commands/batch.js')).batchCommand(program),
  config: async (program) => (await import('./commands/config.js')).configCommand(program),
  keys: async (program) => (await import('./commands/keys.js')).keysCommand(program),
  accounts: async (program) => (await import('./commands/accounts.js')).accountsCommand(program),
  reconcile: async (program) => (await import('./commands/reconcile.js')).reconcileCommand(program),
  proof: async (program) => (await import('./commands/proof.js')).proofCommand(program),
  report: async (program) => (await import('./commands/report.js')).reportCommand(program),
  export: async (program) => (await import('./commands/export.js')).exportCommand(program),
  drive: async (program) => (await import('./commands/drive.js')).driveCommand(program),
}

const program = new Command('bursar')
  .description(
    'A gateway for language models that gets the most answer quality out of every dollar, second, token and joule, and can prove it.',
  )
  .version(version)
  .showHelpAfterError('(bursar --help lists the commands)')
  .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })

const wanted = commands[process.argv[2] ?? '']
for (const register of wanted ? [wanted] : Object.values(commands)) await register(program)

// Whoever read the output has gone (`bursar report | head`): nobody is left to write for. `serve` goes on serving, and sees to that itself.
if (process.argv[2] !== 'serve')
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`bursar: the output could not be written: ${error.message}\n`)
    process.exit(error.code === 'EPIPE' ? 0 : 1)
  })

try {
  await program.parseAsync()
} catch (thrown) {
  // Errors of ours are for people; anything else is a bug, and its stack helps to find it.
  process.stderr.write(
    BursarError.is(thrown)
      ? `bursar: ${thrown.message.split('\n').map(printable).join('\n')}\n`
      : `bursar: unexpected fault\n${thrown instanceof Error ? thrown.stack : String(thrown)}\n`,
  )
  process.exitCode = 1
}
