/**
 * `npm run bench:simulated`: what a call in the simulated world costs the process, whether the same seed gives the same, and whether samplers with
 * declared parameters do what is declared: coverage of N samples against the closed form 1 − B(α, β + N) / B(α, β) (002), shares and means
 * against their own. Baselines: an async generator that gives nothing, and coverage as if all questions had the same p.
 */
import { createHash } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'
import { simulatedEnvironment, type Completion, type SimulatedEnvironment, type SimulatedModel } from '../src/environment/index.js'
import type { Delta, Request } from '../src/protocol/index.js'
import { coverage, mean, shareInterval } from '../src/statistics/index.js'
import { commandLine, figure, packageVersion, table, writeReport, type Estimate } from './report.js'

interface Settings {
  readonly calls: number
  readonly questions: number
  readonly seed: number
  readonly json?: string
}

const settings = new Command('bench:simulated')
  .option('--calls <number>', 'calls for each line of the throughput', whole, 50_000)
  .option('--questions <number>', 'questions for each sampler', whole, 1_000)
  .option('--seed <number>', 'seed of every draw', whole, 1)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const started = performance.now()
const request = (stream: boolean): Request => ({
  model: 'any',
  messages: [
    {
      role: 'user',
      parts: [
        {
          type: 'text',
          text: 'How many of the numbers below a thousand are the sum of two squares? Think, then say "The answer is" and the number.',
        },
      ],
    },
  ],
  stream,
  paths: {},
  extra: [],
})
const typical: SimulatedModel = {
  success: { alpha: 2, beta: 3 },
  tokens: { median: 200, sigma: 0.5 },
  firstTokenSeconds: 0.4,
  tokensPerSecond: 80,
  price: { input: 0.1, output: 0.4 },
  text: (answer) => `${'One case after the other is looked at, and counted. '.repeat(14)}The answer is ${answer}.`,
}
const world = (question: number, model = typical, seed = settings.seed) =>
  simulatedEnvironment({ models: { m: model }, question: { id: `q${question}` }, seed })

console.log(`Simulated worlds, seed ${settings.seed}`)

// What a call costs. ---------------------------------------------------------------------------------------------------------

/** Calls to each question: what making a world costs is part of it. */
const CALLS_A_QUESTION = 8

async function* nothing(): AsyncGenerator<Delta, undefined> {
  return undefined
}

async function inWaves(calls: number, together: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const { user, system } = process.cpuUsage()
  for (let first = 0; first < calls; first += together)
    await Promise.all(Array.from({ length: Math.min(together, calls - first) }, (_, index) => call(first + index)))
  const after = process.cpuUsage()
  return calls / ((after.user - user + after.system - system) / 1e6)
}

/** One call after another on each question, `together` questions at a time on clocks of their own. */
function simulatedCalls(stream: boolean): (index: number) => Promise<void> {
  return async (index) => {
    const env = world(index)
    for (let call = 0; call < CALLS_A_QUESTION; call++) await finish(env.call('m', request(stream)))
  }
}

const throughput: { readonly name: string; readonly callsPerCpuSecond: number }[] = []
const lines = [
  { name: 'baseline: an async generator that gives nothing', calls: settings.calls, scale: 1, call: () => finish(nothing()) },
  {
    name: 'whole answers, one call at a time',
    calls: settings.calls / CALLS_A_QUESTION,
    scale: CALLS_A_QUESTION,
    call: simulatedCalls(false),
  },
  {
    name: 'streamed answers of 200 tokens, one call at a time',
    calls: settings.calls / CALLS_A_QUESTION / 4,
    scale: CALLS_A_QUESTION,
    call: simulatedCalls(true),
  },
]
for (const { name, calls, scale, call } of lines) {
  await inWaves(Math.ceil(calls / 10), 1, call)
  throughput.push({ name, callsPerCpuSecond: scale * (await inWaves(Math.ceil(calls), 1, call)) })
}
const many = simulatedEnvironment({ models: { m: typical }, question: { id: 'many' }, seed: settings.seed })
throughput.push({
  name: 'whole answers, 1,000 calls at the same virtual time',
  callsPerCpuSecond: await inWaves(settings.calls, 1_000, () => finish(many.call('m', request(false)))),
})
console.log(
  `\n${table(
    ['calls', { title: 'calls a second of CPU', align: 'right' }],
    throughput.map(({ name, callsPerCpuSecond }) => [name, Math.round(callsPerCpuSecond).toLocaleString('en-US')]),
  )}`,
)

// The same seed, the same everything. -----------------------------------------------------------------------------------------

const pair: Readonly<Record<string, SimulatedModel>> = { a: { ...typical, failureRate: 0.1 }, b: { ...typical, success: { skill: 0.5 } } }

/** Fingerprint of what all calls gave, in whatever order they were made. */
async function fingerprint(order: 'in turn' | 'one model first' | 'all at once', seed = settings.seed): Promise<string> {
  const hash = createHash('sha256')
  for (let question = 0; question < 100; question++) {
    const env = simulatedEnvironment({ models: pair, question: { id: `q${question}` }, seed, correlation: 0.5 })
    const slots = Array.from({ length: 16 }, (_, index) =>
      order === 'one model first' ? (index < 8 ? 'a' : 'b') : index % 2 === 0 ? 'a' : 'b',
    )
    const said: Record<string, string[]> = { a: [], b: [] }
    const told = (model: string) =>
      finish(env.call(model, request(false))).then(
        (completion) => `${completion?.callId} ${JSON.stringify(completion?.answer)}`,
        (thrown: Error) => thrown.message,
      )
    if (order === 'all at once')
      for (const [index, text] of (await Promise.all(slots.map(told))).entries()) said[slots[index] ?? '']?.push(text)
    else for (const model of slots) said[model]?.push(await told(model))
    // A whole reply holds the virtual second at which it was made, which depends on the order, as it should.
    hash.update(JSON.stringify(said).replace(/\\"created\\":\d+/g, ''))
  }
  return hash.digest('hex').slice(0, 16)
}
const orders = ['in turn', 'one model first', 'all at once'] as const
const prints = await Promise.all([...orders, 'in turn' as const].map((order) => fingerprint(order)))
const otherSeed = await fingerprint('in turn', settings.seed + 1)
const same = new Set(prints).size === 1 && otherSeed !== prints[0]
console.log(
  `\nThe same seed gives the same: ${same ? 'yes' : 'NO'} (1,600 calls in turn, again, one model first, all at once: ${[...new Set(prints)].join(', ')}; another seed: ${otherSeed})`,
)
if (!same) process.exitCode = 1

// Coverage. -------------------------------------------------------------------------------------------------------------------

const SAMPLES = [1, 2, 4, 8, 16, 32]
const laws = [
  { alpha: 2, beta: 3 },
  { alpha: 0.5, beta: 0.5 },
  { alpha: 0.4, beta: 1.6 },
  { alpha: 1, beta: 4, solvable: 0.7 },
]
const curves: {
  readonly law: (typeof laws)[number]
  readonly samples: number
  readonly closed: number
  readonly shared: number
  readonly measured: Estimate
}[] = []
for (const [index, law] of laws.entries()) {
  const { alpha, beta, solvable = 1 } = law
  const solvedAt: number[] = []
  for (let question = 0; question < settings.questions; question++)
    solvedAt.push(await firstRight(world(question + index * settings.questions, { success: law }), Math.max(...SAMPLES)))
  for (const samples of SAMPLES) {
    const solved = solvedAt.filter((at) => at <= samples).length
    const { low, high } = shareInterval(solved, settings.questions)
    curves.push({
      law,
      samples,
      closed: coverage({ alpha, beta }, samples, solvable),
      shared: 1 - (1 - (solvable * alpha) / (alpha + beta)) ** samples,
      measured: { value: solved / settings.questions, low, high, n: settings.questions, method: 'Clopper-Pearson over questions, 95 %' },
    })
  }
}
const lawName = ({ alpha, beta, solvable }: (typeof laws)[number]) =>
  `Beta(${alpha}, ${beta})${solvable === undefined ? '' : `, ${solvable} solvable`}`
console.log(
  `\nCoverage: share of ${settings.questions} questions of which one of N samples is right\n${table(
    [
      'sampler',
      ...['N', 'closed form', 'measured', '95 % interval', 'if all had one p'].map((title) => ({ title, align: 'right' as const })),
    ],
    curves.map(({ law, samples, closed, shared, measured: { value, low, high } }) => [
      lawName(law),
      samples,
      figure(closed, 3),
      figure(value, 3),
      `${figure(low, 3)}–${figure(high, 3)}`,
      figure(shared, 3),
    ]),
  )}`,
)
const inside = curves.filter(({ closed, measured: { low, high } }) => closed >= low && closed <= high).length
const worst = (of: (curve: (typeof curves)[number]) => number) =>
  Math.max(...curves.map((curve) => Math.abs(of(curve) - curve.measured.value)))
console.log(
  `The closed form lies in ${inside} of ${curves.length} intervals (the points of a curve go together). Largest error: closed form ${figure(
    worst(({ closed }) => closed),
    3,
  )}, one p for all ${figure(
    worst(({ shared }) => shared),
    3,
  )}.`,
)

// Declared and measured. --------------------------------------------------------------------------------------------------------

const declared: { readonly what: string; readonly declared: number; readonly measured: Estimate }[] = []
const judge = { sensitivity: 0.85, specificity: 0.7 }
const judging = world(0, { success: 0, judge })
for (const [what, share, answer, good] of [
  ['judge: right answers held to be right', judge.sensitivity, judging.truth, 'Score: 9'],
  ['judge: wrong answers held to be wrong', judge.specificity, judging.question.wrong(0), 'Score: 2'],
] as const) {
  const asked: Request = {
    ...request(false),
    messages: [{ role: 'user', parts: [{ type: 'text', text: `Judge this: the answer is ${answer}.` }] }],
  }
  let hits = 0
  for (let call = 0; call < settings.questions; call++) if (textOf(await finish(judging.call('m', asked))) === good) hits++
  declared.push({ what, declared: share, measured: shareOf(hits, settings.questions) })
}
const failing = world(0, { success: 1, failureRate: 0.2 })
let failures = 0
for (let call = 0; call < settings.questions; call++) await finish(failing.call('m', request(false))).catch(() => failures++)
declared.push({ what: 'calls that fail', declared: 0.2, measured: shareOf(failures, settings.questions) })
const logistic: SimulatedModel = { success: { skill: 1, slope: 2 } }
const mild = simulatedEnvironment({ models: { m: logistic }, question: { id: 'mild', difficulty: 0.5 }, seed: settings.seed })
let right = 0
for (let call = 0; call < settings.questions; call++)
  right += mild.qualityOf((await finish(mild.call('m', request(false)))) ?? { callId: '' }) ?? 0
declared.push({
  what: 'right at skill 1, slope 2, difficulty 0.5',
  declared: 1 / (1 + Math.exp(-1)),
  measured: shareOf(right, settings.questions),
})
const together = Array.from({ length: settings.questions }, (_, index) => {
  const env = simulatedEnvironment({
    models: { a: { success: { alpha: 1, beta: 1 } }, b: { success: { alpha: 1, beta: 1 } } },
    question: { id: `q${index}` },
    seed: settings.seed,
    correlation: 0.6,
  })
  return [env.successOf('a'), env.successOf('b')] as const
})
// Of a Gaussian copula with uniform margins: 6/π · asin(ρ/2).
declared.push({
  what: 'correlation of two models’ p at ρ = 0.6, uniform p',
  declared: (6 / Math.PI) * Math.asin(0.3),
  measured: correlation(together),
})
console.log(
  `\n${table(
    ['parameter', ...['declared', 'measured', '95 % interval'].map((title) => ({ title, align: 'right' as const }))],
    declared.map(({ what, declared: wanted, measured: { value, low, high } }) => [
      what,
      figure(wanted, 3),
      figure(value, 3),
      `${figure(low, 3)}–${figure(high, 3)}`,
    ]),
  )}`,
)

if (settings.json !== undefined)
  writeReport(settings.json, {
    command: commandLine('bench:simulated'),
    seed: settings.seed,
    data: [],
    settings: { calls: settings.calls, questions: settings.questions },
    baselines: {
      throughput: throughput.slice(0, 1),
      onePForAll: curves.map(({ law, samples, shared }) => ({ law, samples, coverage: shared })),
    },
    results: {
      throughput: throughput.slice(1),
      deterministic: same,
      coverage: curves.map(({ law, samples, closed, measured }) => ({ law, samples, closed, measured })),
      declared,
    },
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  })

/** The number of the first right sample; `Infinity` where none of `most` is. */
async function firstRight(env: SimulatedEnvironment, most: number): Promise<number> {
  for (let call = 1; call <= most; call++) {
    const completion = await finish(env.call('m', request(false)))
    if (completion && env.qualityOf(completion) === 1) return call
  }
  return Infinity
}

async function finish<T>(running: AsyncGenerator<Delta, T>): Promise<T> {
  for (;;) {
    const step = await running.next()
    if (step.done) return step.value
  }
}

function textOf(completion: Completion): string {
  const [part] = completion.answer.kind === 'reply' ? (completion.answer.reply.choices[0]?.parts ?? []) : []
  return part?.type === 'text' ? part.text : ''
}

function shareOf(hits: number, n: number): Estimate {
  return { value: hits / n, ...shareInterval(hits, n), n, method: 'Clopper-Pearson, 95 %' }
}

/** Pearson's correlation, with Fisher's interval. */
function correlation(pairs: readonly (readonly [number, number])[]): Estimate {
  const [a, b] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))]
  const moment = (of: (x: number, y: number) => number) => mean(pairs.map(([x, y]) => of(x - a, y - b)))
  const value = moment((x, y) => x * y) / Math.sqrt(moment((x) => x * x) * moment((_x, y) => y * y))
  const margin = 1.959964 / Math.sqrt(pairs.length - 3)
  return {
    value,
    low: Math.tanh(Math.atanh(value) - margin),
    high: Math.tanh(Math.atanh(value) + margin),
    n: pairs.length,
    method: "Fisher's z, 95 %",
  }
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0')
  return value
}
