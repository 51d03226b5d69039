import { InvalidArgumentError, type Command } from 'commander'
import type { Json } from './client.js'

/** What the options of a level (account or key) were read to. */
export interface LevelOptions {
  readonly budget?: readonly Json[]
  readonly rate?: Json
  readonly models?: readonly string[]
  readonly tag?: Json
  readonly userBudget?: readonly Json[]
  readonly clear?: readonly string[]
}

export interface KeyOptions extends LevelOptions {
  readonly organisation?: string
  readonly team?: string
  readonly user?: string
  readonly runBudget?: readonly Json[]
  readonly requestBudget?: readonly Json[]
  readonly endpoints?: readonly string[]
  readonly objective?: string
  readonly expires?: string
}

const rateNames: Readonly<Record<string, string>> = { requests: 'requests_per_minute', tokens: 'tokens_per_minute', parallel: 'parallel' }
const daySeconds = 86_400

export function withLevelOptions(command: Command): Command {
  return command
    .option(
      '--budget <limit>',
      'a limit: UNIT=AMOUNT, UNIT=AMOUNT/day (minute, month, total), " soft" behind it to be only told of; may be repeated. Units: usd, tokens, calls, joules, seconds',
      budget,
    )
    .option('--rate <limit>', 'requests=N or tokens=N a minute, or parallel=N; may be repeated', rate)
    .option('--models <names>', 'models that may be used, with commas between them; "*" at the end of one stands for any ending', listed)
    .option('--tag <name=value>', 'written to the record of each call; may be repeated', tag)
    .option('--user-budget <limit>', 'a limit for each end user whom callers name, written as --budget; may be repeated', budget)
}

export function withKeyOptions(command: Command, now: () => number): Command {
  return withLevelOptions(command)
    .option('--organisation <id>', 'the organisation that the key belongs to')
    .option('--team <id>', 'the team that the key belongs to')
    .option('--user <id>', 'the user whom the key belongs to')
    .option('--run-budget <limit>', 'a limit for each agent run, written as --budget; may be repeated', budget)
    .option('--request-budget <limit>', 'a limit for each request, written as --budget; may be repeated', budget)
    .option('--endpoints <paths>', 'paths that may be called, such as /v1/embeddings, with commas between them', listed)
    .option('--objective <name>', 'what requests aim at when they do not say: cheap, balanced or best')
    .option('--expires <when>', 'a date such as 2027-01-31, or a number of days such as 30d', (text: string) => expiry(text, now()))
}

export function withClearOption(command: Command): Command {
  return command.option(
    '--clear <fields>',
    'settings to take away, as the API names them (budgets, rates, models, team, expires …), with commas between them',
    listed,
  )
}

/** The fields of a body for the admin API. Repeated options replace what was there. */
export function levelFields({ budget: budgets, rate: rates, models, tag: tags, userBudget, clear = [] }: LevelOptions): Json {
  return present({ budgets, rates, models, tags, user_budgets: userBudget, ...Object.fromEntries(clear.map((field) => [field, null])) })
}

export function keyFields(options: KeyOptions): Json {
  const { organisation, team, user, runBudget, requestBudget, endpoints, objective, expires } = options
  return {
    ...present({ organisation, team, user, run_budgets: runBudget, request_budgets: requestBudget, endpoints, objective, expires }),
    ...levelFields(options),
  }
}

/** Without what is undefined. */
export function present(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** `usd=5/day soft`. */
function budget(text: string, before: readonly Json[] = []): readonly Json[] {
  const match = /^(usd|tokens|calls|joules|seconds)=(\d{1,15}(?:\.\d{1,12})?)(?:\/(minute|day|month|total))?(?:[ :]+(soft|hard))?$/.exec(
    text.trim(),
  )
  if (!match) throw new InvalidArgumentError('expected a limit such as usd=500, usd=20/day, tokens=1000000/month or "usd=400/month soft".')
  const [, unit = '', amount, per = 'total', kind = 'hard'] = match
  return [...before, { [unit]: Number(amount), per, hard: kind === 'hard' }]
}

function rate(text: string, before: Json = {}): Json {
  const [, name = '', amount] = /^([a-z]+)=(\d{1,12})$/.exec(text.trim()) ?? []
  const field = Object.hasOwn(rateNames, name) ? rateNames[name] : undefined
  if (field === undefined) throw new InvalidArgumentError('expected requests=N, tokens=N or parallel=N.')
  return { ...before, [field]: Number(amount) }
}

function tag(text: string, before: Json = {}): Json {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('expected name=value.')
  return { ...before, [text.slice(0, equals).trim()]: text.slice(equals + 1).trim() }
}

export function listed(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.some((name) => name === '')) throw new InvalidArgumentError('expected names with commas between them.')
  return names
}

function expiry(text: string, now: number): string {
  const [, days] = /^(\d{1,5})d$/.exec(text) ?? []
  return days === undefined ? text : new Date((now + Number(days) * daySeconds) * 1000).toISOString()
}

export function count(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < 1 || value > most) throw new InvalidArgumentError(`expected a whole number from 1 to ${most}.`)
    return value
  }
}
