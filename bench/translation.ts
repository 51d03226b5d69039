/**
 * `npm run bench:translation`: real conversations through every translation. Each request of the data is written for every provider
 * format and read back by readers of the bench's own, and through the caller's side again; each recorded answer is read and written,
 * whole and streamed. A sample also goes through a running gateway, by the official clients. Exits 1 when anything is lost, or
 * refused by a path that leads nowhere. Needs the data sets (see `bench/data/source.ts`).
 */
import { join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { childRandom } from '../src/statistics/index.js'
import { loadBfcl } from './data/bfcl.js'
import type { LoadedConversations } from './data/conversation.js'
import { loadLocomo, loadLocomoNamed } from './data/locomo.js'
import { loadAlpacaQuestions, loadGsm8kQuestions, loadNaturalQuestions, loadText2Sql } from './data/questions.js'
import { loadScienceWorld } from './data/scienceworld.js'
import { dataRoot, DataProblem } from './data/source.js'
import { loadTauBench } from './data/tau-bench.js'
import { benchCommand } from './options.js'
import { commandLine, figure, median, packageVersion, table, writeReport } from './report.js'
import { checkAnswer } from './translation/answers.js'
import { chatBody, checkRequest, formats, inbound, writtenText, type Verdict } from './translation/requests.js'
import type { Format } from './translation/said.js'
import { callers, startGatewayBench } from './translation/through-gateway.js'

interface Settings {
  readonly test: string
  readonly train?: string
  readonly seed: number
  readonly limit?: number
  readonly gateway: number
  readonly json?: string
}

const settings = benchCommand('bench:translation')
  .option('--test <dir>', 'folder that holds the data sets (default: $BURSAR_DATA)', dataRoot())
  .option('--train <dir>', 'not used: nothing is fitted here')
  .option('--limit <rows>', 'only the first conversations of each data set', whole)
  .option('--gateway <rows>', 'conversations of each data set that also go through a running gateway', whole, 8)
  .option('--seed <number>', 'where streams are cut', whole, 1)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const loaders: readonly (readonly [folder: string, load: (folder: string) => LoadedConversations])[] = [
  ['bfcl', loadBfcl],
  ['tau_bench_airline', loadTauBench],
  ['scienceworld_react', loadScienceWorld],
  ['locomo', loadLocomo],
  ['locomo', loadLocomoNamed],
  ['alpaca_eval', loadAlpacaQuestions],
  ['gsm8k', loadGsm8kQuestions],
  ['nq_open_gold', loadNaturalQuestions],
  ['text2sql', loadText2Sql],
]

class Tally {
  same = 0
  refused = 0
  lost = 0
  readonly reasons = new Map<string, number>()
  readonly examples: string[] = []

  add(verdict: Verdict, id: string): void {
    this[verdict.kind]++
    if (verdict.kind === 'refused') this.reasons.set(verdict.reason, (this.reasons.get(verdict.reason) ?? 0) + 1)
    if (verdict.kind === 'lost' && this.examples.length < 3) this.examples.push(`${id}: ${verdict.what}`)
  }
}

function safely(check: () => Verdict): Verdict {
  try {
    return check()
  } catch (thrown) {
    return { kind: 'lost', what: `threw ${thrown instanceof Error ? thrown.message : String(thrown)}` }
  }
}

interface Row {
  readonly dataset: string
  readonly format: Format
  readonly requests: Tally
  readonly answers: Tally
}

function measure(loaded: LoadedConversations): Row[] {
  return formats.map((format): Row => {
    const requests = new Tally()
    const answers = new Tally()
    const random = childRandom(settings.seed, `${loaded.name}/${format}`)
    for (const conversation of loaded.conversations) {
      requests.add(
        safely(() => checkRequest(conversation, format)),
        conversation.id,
      )
      for (const [index, answer] of conversation.answers.entries())
        answers.add(
          safely(() => checkAnswer(answer, format, random)),
          `${conversation.id}, answer ${index}`,
        )
    }
    return { dataset: loaded.name, format, requests, answers }
  })
}

/** Microseconds a request: reading the caller's JSON value, and writing the provider's JSON text; the median of five rounds. */
function time(loaded: LoadedConversations): Readonly<Record<string, number>> {
  const sample = loaded.conversations.slice(0, 200).map(chatBody)
  const codec = inbound('openai-chat')
  const requests = sample.map((body) => codec.decodeRequest(body))
  const perRequest = (work: () => void): number => {
    const rounds = Array.from({ length: 5 }, () => {
      const from = performance.now()
      work()
      return ((performance.now() - from) * 1000) / sample.length
    })
    return median(rounds)
  }
  const figures: Record<string, number> = {
    kilobytes: sample.reduce((sum, body) => sum + JSON.stringify(body).length, 0) / sample.length / 1000,
    'JSON.stringify': perRequest(() => sample.forEach((body) => JSON.stringify(body))),
    read: perRequest(() => sample.forEach((body) => codec.decodeRequest(body))),
  }
  for (const format of formats) {
    // What a format refuses takes no time worth telling.
    const kept = requests.filter((request) => safely(() => (writtenText(request, format), { kind: 'same' })).kind === 'same')
    figures[format] =
      kept.length === 0
        ? Number.NaN
        : (perRequest(() => kept.forEach((request) => writtenText(request, format))) * sample.length) / kept.length
  }
  return figures
}

async function throughGateway(all: readonly LoadedConversations[]): Promise<{ readonly pair: string; readonly tally: Tally }[]> {
  const bench = await startGatewayBench()
  try {
    const results: { pair: string; tally: Tally }[] = []
    for (const caller of callers)
      for (const target of formats) {
        const tally = new Tally()
        const random = childRandom(settings.seed, `${caller}/${target}`)
        for (const { name, conversations } of all) {
          const step = Math.max(1, Math.floor(conversations.length / settings.gateway))
          for (const [index, conversation] of conversations
            .filter((_, index) => index % step === 0)
            .slice(0, settings.gateway)
            .entries()) {
            const answer = conversation.answers[index % Math.max(1, conversation.answers.length)] ?? { text: 'Yes.', calls: [] }
            for (const stream of [false, true]) {
              const verdict = await bench.check(conversation, answer, caller, target, stream, random).catch(asLoss)
              if (verdict !== undefined) tally.add(verdict, `${name} ${conversation.id}`)
            }
          }
        }
        results.push({ pair: `${caller} → ${target}`, tally })
      }
    return results
  } finally {
    await bench.close()
  }
}

function asLoss(thrown: unknown): Verdict {
  return { kind: 'lost', what: `threw ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}` }
}

async function main(): Promise<boolean> {
  const started = performance.now()
  const loaded = loaders.map(([folder, load]): LoadedConversations => {
    const all = load(join(settings.test, folder))
    return settings.limit === undefined ? all : { ...all, conversations: all.conversations.slice(0, settings.limit) }
  })
  const number = (title: string) => ({ title, align: 'right' }) as const
  console.log(
    `seed ${settings.seed}; data in ${settings.test}${settings.limit === undefined ? '' : `; at most ${settings.limit} conversations of each`}\n`,
  )
  for (const { name, conversations, notes } of loaded)
    console.log(`- ${name}: ${conversations.length} conversations${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`)

  const rows = loaded.flatMap(measure)
  console.log(
    `\nChat-completions requests written for each format and back, and answers read from chat completions and Gemini and written for each caller:\n`,
  )
  console.log(
    table(
      ['data', 'format', number('requests same'), number('refused'), number('lost'), number('answers same'), number('lost')],
      rows.map(({ dataset, format, requests, answers }) => [
        dataset,
        format,
        requests.same,
        requests.refused,
        requests.lost,
        answers.same,
        answers.lost,
      ]),
    ),
  )
  const gateway = settings.gateway === 0 ? [] : await throughGateway(loaded)
  if (gateway.length > 0) {
    console.log('\nThrough a running gateway, by the official clients, whole and streamed:\n')
    console.log(
      table(
        ['caller → provider', number('same'), number('refused'), number('lost')],
        gateway.map(({ pair, tally }) => [pair, tally.same, tally.refused, tally.lost]),
      ),
    )
  }
  const tallies = [...rows.flatMap((row) => [row.requests, row.answers]), ...gateway.map(({ tally }) => tally)]
  const reasons = new Map<string, number>()
  for (const tally of tallies) for (const [reason, count] of tally.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + count)
  if (reasons.size > 0) console.log('\nRefused, each by a path that leads to the field in the caller’s body:')
  for (const [reason, count] of reasons) console.log(`- ${count} × ${reason}`)

  const times = loaded.map((one) => ({ name: one.name, figures: time(one) }))
  console.log(
    '\nMicroseconds a request (read: the caller’s JSON value to the canonical form; then from there to each provider’s JSON text; median of 5 rounds):\n',
  )
  const names = ['kilobytes', 'JSON.stringify', 'read', ...formats]
  console.log(
    table(
      ['data', ...names.map(number)],
      times.map(({ name, figures }) => [name, ...names.map((one) => figure(figures[one], one === 'kilobytes' ? 1 : 0))]),
    ),
  )

  const lost = tallies.reduce((sum, tally) => sum + tally.lost, 0)
  for (const tally of tallies) for (const example of tally.examples) console.log(`\nLOST ${example}`)
  console.log(lost === 0 ? '\nNothing is lost.' : `\n${lost} translations lost something.`)
  if (settings.json !== undefined)
    writeReport(settings.json, {
      command: commandLine('bench:translation'),
      seed: settings.seed,
      data: loaded.flatMap(({ sources }) => sources),
      settings: { limit: settings.limit ?? null, gateway: settings.gateway, train: settings.train ?? null },
      baselines: { stringifyMicroseconds: Object.fromEntries(times.map(({ name, figures }) => [name, figures['JSON.stringify']])) },
      results: {
        translations: rows.map(({ dataset, format, requests, answers }) => ({
          dataset,
          format,
          requests: counts(requests),
          answers: counts(answers),
        })),
        gateway: gateway.map(({ pair, tally }) => ({ pair, ...counts(tally) })),
        refused: Object.fromEntries(reasons),
        microseconds: Object.fromEntries(times.map(({ name, figures }) => [name, figures])),
      },
      seconds: (performance.now() - started) / 1000,
      version: packageVersion(),
    })
  return lost === 0
}

function counts({ same, refused, lost }: Tally): Record<string, number> {
  return { same, refused, lost }
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number.')
  return value
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (thrown) {
  console.error(
    `bench:translation: ${thrown instanceof DataProblem ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown)}`,
  )
  process.exitCode = 1
}
