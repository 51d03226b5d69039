// Whether Bursar's memory grows: a constant mix of whole answers, streams, callers that leave, cut streams and refused requests,
// for as long as you like; memory is read from outside and from /metrics, and a slope fitted after the warm-up.
// Usage: npm run bench:soak -- [--minutes 10] [--warm-up-minutes 1] [--concurrency 16] [--limit-mb 10] [--json FILE]
import { parseArgs } from 'node:util'
import { open, call, type Answer, type Subject } from './conformance/client.js'
import { chat, sleep, streamed } from './conformance/check.js'
import { cpuSeconds, residentMb, type Child } from './gateway/children.js'
import { benchKey, missing, startBursar, startUpstreamProcess } from './gateway/targets.js'
import { growth, type Reading } from './gateway/trend.js'
import { commandLine, figure, packageVersion, table, writeReport, type Estimate } from './report.js'

const say = (text: string) => process.stderr.write(`${text}\n`)
/** A window has to hold at least one collection of the whole heap; and the slope needs about twenty of them. */
const windowSeconds = (minutes: number) => Math.max(10, Math.round((minutes * 60) / 20))

/** What one caller does, by turns. */
const mix: readonly { readonly name: string; readonly share: number; run(subject: Subject): Promise<Answer> }[] = [
  { name: 'whole answer', share: 8, run: (subject) => call(subject, { body: chat(subject) }) },
  { name: 'stream', share: 6, run: (subject) => call(subject, { body: chat(subject, streamed) }) },
  { name: 'slow stream', share: 1, run: (subject) => call(subject, { body: { ...chat(subject, streamed), model: 'mock-drip-2' } }) },
  { name: 'caller leaves a stream', share: 2, run: leaveStream },
  { name: 'caller leaves at once', share: 1, run: leaveAtOnce },
  {
    name: 'upstream cuts the stream',
    share: 1,
    run: (subject) => call(subject, { body: { ...chat(subject, streamed), model: 'mock-cut' } }),
  },
  { name: 'malformed JSON', share: 1, run: (subject) => call(subject, { body: Buffer.from('{"model":') }) },
  {
    name: 'unknown model',
    share: 1,
    run: (subject) => call(subject, { body: { ...chat(subject), model: `nowhere/model-${Math.random()}` } }),
  },
  {
    name: 'wrong key',
    share: 1,
    run: (subject) => call(subject, { body: chat(subject), headers: { authorization: `Bearer sk-wrong-${Math.random()}` } }),
  },
]

async function leaveStream(subject: Subject): Promise<Answer> {
  const under = open(subject, { body: { ...chat(subject, streamed), model: 'mock-drip-5' } })
  await under.until((body) => body.includes('data:'), 5_000)
  under.leave()
  return under.answer
}

async function leaveAtOnce(subject: Subject): Promise<Answer> {
  const under = open(subject, { body: { ...chat(subject), model: 'mock-slow-200' } })
  await sleep(10)
  under.leave()
  return under.answer
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      'warm-up-minutes': { type: 'string', default: '1' },
      concurrency: { type: 'string', default: '16' },
      'limit-mb': { type: 'string', default: '10' },
      json: { type: 'string' },
    },
  })
  const startedAt = performance.now()
  const minutes = positive('--minutes', values.minutes)
  const warmUp = positive('--warm-up-minutes', values['warm-up-minutes'])
  const concurrency = Math.ceil(positive('--concurrency', values.concurrency))
  const limitMb = positive('--limit-mb', values['limit-mb'])
  const why = missing('bursar')
  if (why !== undefined) {
    say(why)
    return 2
  }
  const children: Child[] = []
  try {
    const upstream = await startUpstreamProcess()
    children.push(upstream)
    // Cut streams are part of the mix: without this their deployment would rest, and the path would hardly be walked.
    const bursar = await startBursar(upstream.url, { config: { cooldown: { after_faults: 1_000, seconds: 0.05 } } })
    children.push(bursar)
    const subject: Subject = {
      name: 'bursar',
      url: bursar.url,
      headers: { authorization: `Bearer ${benchKey}` },
      model: 'mock',
      hasKeys: true,
    }

    let stopping = false
    const counts = new Map<string, number>()
    const turns = mix.flatMap((kind) => Array.from({ length: kind.share }, () => kind))
    const work = async (worker: number) => {
      for (let turn = worker * 7; !stopping; turn++) {
        // 7 and the number of turns share no factor, so the workers are never all at the same kind.
        const kind = turns[(turn * 7) % turns.length]
        if (!kind) return
        const answer = await kind.run(subject)
        const key = `${kind.name}: ${answer.end === 'left' ? 'left' : answer.status === 0 ? 'no answer' : `${answer.status}${answer.end === 'clean' ? '' : ` ${answer.end}`}`}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
    const workers = Array.from({ length: concurrency }, (_, worker) => work(worker))

    say(`warm-up of ${figure(warmUp, 1)} min, then ${figure(minutes, 1)} min`)
    await sleep(warmUp * 60_000)
    const resident: Reading[] = []
    const heap: Reading[] = []
    const measuredFrom = performance.now()
    const cpuFrom = cpuSeconds(bursar.pid)
    for (let elapsed = 0; elapsed < minutes * 60; elapsed = (performance.now() - measuredFrom) / 1_000) {
      resident.push({ seconds: elapsed, value: residentMb(bursar.pid) })
      heap.push({ seconds: elapsed, value: await heapMb(subject) })
      if (resident.length % 60 === 1)
        say(`${figure(elapsed / 60, 1)} min: resident ${figure(resident.at(-1)?.value, 0)} MB, heap ${figure(heap.at(-1)?.value, 0)} MB`)
      await sleep(1_000)
    }
    const cpu = (cpuSeconds(bursar.pid) - cpuFrom) / ((performance.now() - measuredFrom) / 1_000)
    stopping = true
    await Promise.all(workers)

    const perTenMinutes = 600
    const results = {
      resident: growth(resident, windowSeconds(minutes), perTenMinutes, 'middle'),
      heap: growth(heap, windowSeconds(minutes), perTenMinutes, 'lowest'),
    }
    const requests = [...counts.values()].reduce((sum, one) => sum + one, 0)
    console.log(
      `\n${table(
        ['what', { title: 'times', align: 'right' }],
        [...counts].sort((a, b) => a[0].localeCompare(b[0])),
      )}\n`,
    )
    console.log(
      table(
        [
          'memory',
          { title: 'from MB', align: 'right' },
          { title: 'to MB', align: 'right' },
          { title: 'growth MB/10 min', align: 'right' },
          '95 %',
          'verdict',
        ],
        (
          [
            ['resident', resident, results.resident],
            ['heap after collection', heap, results.heap],
          ] as const
        ).map(([name, readings, trend]) => [
          name,
          figure(readings[0]?.value, 0),
          figure(readings.at(-1)?.value, 0),
          figure(trend.value, 1),
          `[${figure(trend.low, 1)}, ${figure(trend.high, 1)}]`,
          verdict(trend, limitMb),
        ]),
      ),
    )
    console.log(`\n${requests} requests in all; Bursar used ${figure(cpu * 100, 0)} % of a core`)
    if (values.json !== undefined)
      writeReport(values.json, {
        command: commandLine('bench:soak'),
        seed: null,
        data: [],
        settings: { minutes, warmUpMinutes: warmUp, concurrency, limitMb, windowSeconds: windowSeconds(minutes), node: process.version },
        baselines: {},
        results: { ...results, requests, outcomes: Object.fromEntries(counts), resident_mb: resident, heap_mb: heap },
        seconds: (performance.now() - startedAt) / 1_000,
        version: packageVersion(),
      })
    return verdict(results.heap, limitMb) === 'GROWS' || verdict(results.resident, limitMb) === 'GROWS' ? 1 : 0
  } finally {
    await Promise.all(children.map((child) => child.stop()))
  }
}

/** Judged by the whole interval: a run that is too short says so. */
function verdict(trend: Estimate, limitMb: number): string {
  if (trend.high <= limitMb) return 'no growth'
  if (trend.low > 0 && trend.value > limitMb) return 'GROWS'
  return 'unclear: run longer'
}

/** The heap in use as Bursar itself tells it. */
async function heapMb(subject: Subject): Promise<number> {
  const answer = await call(subject, { path: '/metrics' })
  const bytes = /^nodejs_heap_size_used_bytes(?:\{[^}]*\})? (\S+)$/m.exec(answer.body.toString())?.[1]
  if (bytes === undefined) throw new Error(`GET /metrics answered ${answer.status} without nodejs_heap_size_used_bytes`)
  return Number(bytes) / (1 << 20)
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${option} takes a number above 0, not "${text}"`)
  return value
}

main().then(
  (code) => process.exit(code),
  (fault: unknown) => {
    say(`bench:soak: ${fault instanceof Error ? fault.message : String(fault)}`)
    process.exit(2)
  },
)
