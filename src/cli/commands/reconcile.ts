import { readFileSync } from 'node:fs'
import { InvalidArgumentError, type Command } from 'commander'
import { BursarError } from '../../errors/index.js'
import { addMoney, formatUsd, picoUsd, usd, zeroMoney, type Money } from '../../quantities/index.js'
import { adminClient, withAdminOptions, type AdminClient, type AdminOptions, type Json } from '../admin/client.js'
import { readBilledCsv } from '../admin/billed-csv.js'
import { count, present } from '../admin/settings.js'
import { textOf } from '../admin/show.js'
import { processDependencies, type InspectionDependencies } from '../inspection.js'
import { cut, printable, table, wrap } from '../table.js'

type Dependencies = Pick<InspectionDependencies, 'env' | 'print' | 'report' | 'width' | 'setExitCode'>

interface Options extends AdminOptions {
  readonly json?: boolean
  readonly usd?: string
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly notBilled?: boolean
  readonly note?: string
  readonly fromCsv?: string
  readonly from?: string
  readonly to?: string
  readonly onlyKey?: string
  readonly limit?: number
}

/** Rows of a file that are told of one by one when they can't be used. */
const refusalsTold = 20

/** `bursar reconcile …`: puts calls right whose gateway died before their end was known. */
export function reconcileCommand(program: Command, deps: Dependencies = processDependencies()): void {
  withAdminOptions(program.command('reconcile'))
    .description('List calls that were lost when a gateway died, and say what the provider really billed for them.')
    .argument('[call]', 'id of a lost call; without one, or with "list", they are listed', 'list')
    .option('--usd <dollars>', 'what the provider billed for the call', dollars)
    .option('--input-tokens <number>', 'with --usd: input tokens that it billed', tokens)
    .option('--output-tokens <number>', 'with --usd: output tokens that it billed, reasoning included', tokens)
    .option('--not-billed', 'the provider billed nothing')
    .option('--note <text>', 'why, for the gateway’s log')
    .option('--from-csv <file>', 'many calls at once: a file with the columns call_id,usd or call_id,usd,input_tokens,output_tokens')
    .option('--from <when>', 'list: only calls since then (2026-11-01, 2026-11-01T12:00Z, 12h, 7d)')
    .option('--to <when>', 'list: only calls before')
    .option('--only-key <name>', 'list: only calls of this key')
    .option('--limit <number>', 'list: at most so many (default: 100)', count(1000))
    .action(async (call: string, options: Options) => {
      const client = adminClient(options, deps.env)
      if (options.fromCsv !== undefined) return fromCsv(client, options.fromCsv, call, options, deps)
      if (call !== 'list') return one(client, call, options, deps)
      const stray = named(options, ['usd', 'inputTokens', 'outputTokens', 'notBilled', 'note'])
      if (stray !== undefined) throw unusable(`${stray} needs the id of a lost call: bursar reconcile CALL_ID ${stray} …`)
      return list(client, options, deps)
    })
}

async function list(client: AdminClient, { json, from, to, onlyKey, limit = 100 }: Options, deps: Dependencies): Promise<void> {
  const query = new URLSearchParams({ limit: String(limit) })
  for (const [name, value] of Object.entries({ from, to, key: onlyKey })) if (value !== undefined) query.set(name, value)
  const { data, more } = await client.call('GET', `/admin/lost?${query}`)
  const calls = Array.isArray(data) ? (data as readonly Json[]) : []
  deps.print(json ? jsonText(calls) : lostTable(calls, deps.width))
  if (more === true) deps.report(`There are more lost calls than ${limit}; --limit shows more.\n`)
}

function lostTable(calls: readonly Json[], width: number): string {
  if (calls.length === 0) return 'No lost calls.\n'
  const right = { align: 'right' } as const
  // An id that is cut can't be typed, so there is no room for keys in a narrow terminal; --json has everything.
  const wide = width >= 100
  const rows = calls.map((call) => [
    textOf(call['id']),
    textOf(call['at']).slice(5, 16).replace('T', ' '),
    ...(wide ? [textOf(call['key'])] : []),
    textOf(call['model']),
    shortMoney(boundOf(call)),
  ])
  const key = { title: 'KEY', cut: 'middle', least: 8 } as const
  const text = table(
    [
      { title: 'CALL' },
      { title: 'AT (UTC)' },
      ...(wide ? [key] : []),
      { title: 'MODEL', cut: 'middle', least: 8 },
      { title: 'AT MOST $', ...right },
    ],
    rows,
    width,
  )
  const bounds = calls.map(boundOf)
  const known = bounds.filter((bound) => bound !== null)
  const unknown = bounds.length - known.length
  const price = unknown === 0 ? '' : `, and ${unknown === 1 ? 'one' : unknown} without a known price`
  return `${text}\n${paragraph(`${callsText(calls.length)}, counted with $${formatUsd(sumOf(known))}${price} until they are put right: bursar reconcile CALL --usd …`, width)}`
}

async function one(client: AdminClient, call: string, options: Options, deps: Dependencies): Promise<void> {
  const stray = named(options, ['from', 'to', 'onlyKey', 'limit'])
  if (stray !== undefined) throw unusable(`${stray} is for the list of lost calls; leave out the id.`)
  if (options.usd === undefined && options.notBilled !== true)
    throw unusable(
      'Say what the provider billed: --usd 0.0123 (with --input-tokens and --output-tokens, if it tells them), or --not-billed.',
    )
  const body = present({
    usd: options.usd,
    input_tokens: options.inputTokens,
    output_tokens: options.outputTokens,
    not_billed: options.notBilled,
    note: options.note,
  })
  const done = await client.call('POST', path(call), body)
  deps.print(
    options.json
      ? jsonText(done)
      : paragraph(
          `The call of ${textOf(done['key'])} to ${textOf(done['model'])} counts with $${moneyText(billedOf(done))} now, instead of ${boundText(done) === '' ? 'an unknown amount' : `$${boundText(done)}`}.`,
          deps.width,
        ),
  )
  tellBudgets([done], deps)
}

async function fromCsv(client: AdminClient, file: string, call: string, options: Options, deps: Dependencies): Promise<void> {
  const stray =
    named(options, ['usd', 'inputTokens', 'outputTokens', 'notBilled', 'from', 'to', 'onlyKey', 'limit']) ??
    (call === 'list' ? undefined : `The id ${call}`)
  if (stray !== undefined) throw unusable(`${stray} doesn't go together with --from-csv: the file says it all.`)
  const rows = readBilledCsv(textFrom(file))
  const done: Json[] = []
  const refused: { readonly line: number; readonly call_id: string; readonly status: number; readonly message: string }[] = []
  for (const { line, callId, body } of rows)
    try {
      done.push(await client.call('POST', path(callId), present({ ...body, note: options.note })))
    } catch (thrown) {
      if (!BursarError.is(thrown)) throw thrown
      refused.push({ line, call_id: callId, status: thrown.status, message: thrown.message })
      // A gateway that can't take one now can't take the next either; a row that is wrong says nothing about the others.
      if (thrown.status >= 500 || thrown.status === 401 || thrown.status === 403) break
    }
  const untried = rows.length - done.length - refused.length
  const billed = sumOf(done.map(billedOf).filter((amount) => amount !== null))
  const bound = sumOf(done.map(boundOf).filter((amount) => amount !== null))
  if (options.json)
    deps.print(
      jsonText({
        rows: rows.length,
        reconciled: done.length,
        refused,
        untried,
        usd: formatUsd(billed),
        bound_usd: formatUsd(bound),
        data: done,
      }),
    )
  else {
    for (const { line, message } of refused.slice(0, refusalsTold)) deps.report(paragraph(`line ${line}: ${message}`, deps.width))
    if (refused.length > refusalsTold) deps.report(`and ${refused.length - refusalsTold} more\n`)
    const count = (label: string, number: number, rest = '') => `${label.padEnd(14)}${String(number).padStart(8)}${rest}\n`
    deps.print(
      count('rows', rows.length) +
        count('put right', done.length, done.length === 0 ? '' : `   $${formatUsd(billed)} billed, instead of $${formatUsd(bound)}`) +
        count('refused', refused.length) +
        (untried === 0 ? '' : count('not tried', untried)),
    )
  }
  tellBudgets(done, deps)
  if (refused.length > 0) deps.setExitCode(1)
}

/** Says so where budgets don't go by it at once. */
function tellBudgets(done: readonly Json[], deps: Dependencies): void {
  if (done.some(({ budgets }) => budgets === 'moved_later'))
    deps.report(
      paragraph(
        'Budgets are counted in Redis, which goes on counting what was reserved until its windows are over or it is filled anew. The ledger and its reports are right at once.',
        deps.width,
      ),
    )
  const kept = done.filter(({ budgets }) => budgets === 'not_kept').length
  if (kept > 0)
    deps.report(
      paragraph(
        `What was reserved for ${kept === 1 ? 'one of them' : `${kept} of them`} is no longer kept (ledger.keep_days), so that budgets stay as they are. The ledger and its reports are right.`,
        deps.width,
      ),
    )
}

function textFrom(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new BursarError(
      `The file ${file} can't be read (${cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)}).`,
      { code: 'invalid_request', status: 400, cause },
    )
  }
}

function path(call: string): string {
  return `/admin/lost/${encodeURIComponent(call)}`
}

/** The first of these options that was given, as it is typed. */
function named(options: Options, names: readonly (keyof Options)[]): string | undefined {
  const name = names.find((option) => options[option] !== undefined)
  return name && `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

const boundOf = (call: Json) => amountOf(call['bound'])
const billedOf = (call: Json) => amountOf(call['billed'])

function amountOf(amounts: unknown): Money | null {
  const dollars = typeof amounts === 'object' && amounts !== null && 'usd' in amounts ? amounts.usd : undefined
  return typeof dollars === 'number' ? usd(dollars) : null
}

function boundText(call: Json): string {
  return moneyText(boundOf(call))
}

function moneyText(amount: Money | null): string {
  return amount === null ? '' : formatUsd(amount)
}

/** Rounded up to a millionth of a dollar: for a column. */
function shortMoney(amount: Money | null): string {
  return amount === null ? '?' : formatUsd(picoUsd(((amount + 999_999n) / 1_000_000n) * 1_000_000n))
}

function sumOf(amounts: readonly Money[]): Money {
  return amounts.reduce(addMoney, zeroMoney)
}

function callsText(calls: number): string {
  return calls === 1 ? '1 lost call' : `${calls} lost calls`
}

function paragraph(text: string, width: number): string {
  return `${wrap(printable(text), width)
    .map((line) => cut(line, width))
    .join('\n')}\n`
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

function dollars(text: string): string {
  if (!/^\d{1,7}(\.\d{1,30})?$/.test(text)) throw new InvalidArgumentError('expected dollars such as 0.0123.')
  return text
}

function tokens(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('expected a whole number.')
  return Number(text)
}

function unusable(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_request', status: 400 })
}
