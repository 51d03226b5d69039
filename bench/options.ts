import { parseArgs } from 'node:util'
import { Command } from 'commander'

/** An option of a command that measures, with a line for `--help`. */
export interface BenchOption {
  readonly type: 'string' | 'boolean'
  readonly about: string
  /** What stands behind the name in the help, such as `dir`; `value` when left out. */
  readonly takes?: string
  readonly multiple?: boolean
  readonly default?: string | boolean | string[]
}

/**
 * The options of `npm run SCRIPT -- …`. `--help` prints what there is and ends the process with 0; an option that isn't known, or one
 * without its value, is told in one line and ends it with 2.
 */
export function benchOptions<Options extends Readonly<Record<string, BenchOption>>>(script: string, about: string, options: Options) {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage(script, about, options))
    process.exit(0)
  }
  try {
    return parseArgs<{ args: string[]; options: Options }>({ args, options })
  } catch (thrown) {
    const why = thrown instanceof Error ? (thrown.message.split(/\. |\n/)[0] ?? '') : String(thrown)
    process.stderr.write(`${script}: ${why}. What there is: npm run ${script} -- --help\n`)
    process.exit(2)
  }
}

/** The same for a command that reads its options with commander: ends with 0 after `--help`, and with 2 where the options can't be. */
export function benchCommand(script: string): Command {
  return new Command(script).showSuggestionAfterError(false).exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
}

function usage(script: string, about: string, options: Readonly<Record<string, BenchOption>>): string {
  const rows = Object.entries(options).map(([name, { type, takes = 'value', multiple, about: what, default: usual }]) => {
    const given =
      usual === undefined || usual === false || (Array.isArray(usual) && usual.length === 0) ? '' : ` (default: ${String(usual)})`
    return [type === 'boolean' ? `--${name}` : `--${name} <${takes}>`, `${what}${multiple === true ? '; may be repeated' : ''}${given}`]
  })
  rows.push(['--help', 'show this'])
  const width = Math.max(...rows.map(([name = '']) => name.length))
  const lines = rows.map(([name = '', what = '']) => `  ${name.padEnd(width)}  ${what}`)
  return `Usage: npm run ${script} -- [options]\n\n${about}\n\nOptions:\n${lines.join('\n')}\n`
}
