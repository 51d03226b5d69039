#!/usr/bin/env node
import { Command } from 'commander'
import { BursarError } from '../errors/index.js'
import { checkCommand } from './commands/check.js'
import { configCommand } from './commands/config.js'
import { driveCommand } from './commands/drive.js'
import { modelsCommand } from './commands/models.js'
import { serveCommand } from './commands/serve.js'
import { version } from './version.js'

const program = new Command('bursar')
  .description('A gateway for language models that gets the most answer quality out of every dollar, second, token and joule, and can prove it.')
  .version(version)
  .showHelpAfterError('(bursar --help lists the commands)')
  .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, 100) })

serveCommand(program)
checkCommand(program)
modelsCommand(program)
configCommand(program)
driveCommand(program)

try {
  await program.parseAsync()
} catch (thrown) {
  // Errors of ours are for people; anything else is a bug, and its stack helps to find it.
  process.stderr.write(BursarError.is(thrown) ? `bursar: ${thrown.message}\n` : `bursar: unexpected fault\n${thrown instanceof Error ? thrown.stack : String(thrown)}\n`)
  process.exitCode = 1
}
