import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import {
  configJsonSchemaText,
  importedYaml,
  importLiteLlm,
  InvalidConfiguration,
  parseConfig,
  printableConfig,
  printableYaml,
} from '../../gateway/index.js'
import { BursarError } from '../../errors/index.js'
import { findConfig, processDependencies, USUAL_FILE, type InspectionDependencies } from '../inspection.js'

/** `bursar config schema`, `bursar config show`, `bursar config import litellm FILE`. */
export function configCommand(program: Command, deps: Omit<InspectionDependencies, 'open'> = processDependencies()): void {
  const config = program.command('config').description('Look at the configuration, or make one.')

  config
    .command('schema')
    .description('Print the JSON Schema of the configuration file, for editors.')
    .action(() => deps.print(configJsonSchemaText()))

  config
    .command('show')
    .description('Print the configuration in effect: the file with all defaults, secrets hidden.')
    .option('-c, --config <file>', `configuration file (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option('--json', 'print it as JSON')
    .action(async (options: { readonly config?: string; readonly json?: boolean }) => {
      const found = await findConfig(options.config, deps)
      deps.print(options.json ? `${JSON.stringify(printableConfig(found.config), null, 2)}\n` : printableYaml(found.config))
      for (const note of found.notes) deps.report(`note: ${note}\n`)
      for (const warning of found.warnings) deps.report(`warning: ${warning}\n`)
    })

  config
    .command('import')
    .description("Translate another gateway's configuration.")
    .command('litellm')
    .description('Translate a LiteLLM proxy configuration. Prints the file, or writes it with --output; notes go to standard error.')
    .argument('<file>', 'the LiteLLM file, or - for standard input')
    .option('-o, --output <file>', 'write to this file, which must not exist yet')
    .action((file: string, options: { readonly output?: string }) => {
      const imported = importLiteLlm(readText(file))
      const yaml = importedYaml(imported)
      if (options.output === undefined) deps.print(yaml)
      else writeNew(options.output, yaml)
      for (const note of imported.notes) deps.report(`note: ${note}\n`)
      for (const problem of remaining(yaml)) deps.report(`to mend: ${problem}\n`)
      if (options.output !== undefined) deps.report(`Wrote ${options.output}; \`bursar check -c ${options.output}\` tries it.\n`)
    })
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new BursarError(`${file} can't be read. Is it there, and is it a file?`, { code: 'invalid_configuration', status: 500, cause })
  }
}

function writeNew(file: string, text: string): void {
  if (existsSync(file))
    throw new BursarError(`${file} exists already; it was left alone. Name another file with --output.`, {
      code: 'invalid_configuration',
      status: 500,
    })
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (cause) {
    throw new BursarError(`${file} can't be written.`, { code: 'invalid_configuration', status: 500, cause })
  }
}

/** What is still wrong with the imported file, as if every variable that it names were set. */
function remaining(yaml: string): string[] {
  const env: Record<string, string> = {}
  for (const [, name] of yaml.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g))
    if (name !== undefined) env[name] = `https://stand-in.example/${name}`
  try {
    parseConfig(yaml, env)
    return []
  } catch (thrown) {
    if (!(thrown instanceof InvalidConfiguration)) throw thrown
    return thrown.problems.map((problem) => `${problem.path}: ${problem.message}`)
  }
}
