import { join } from 'node:path'
import { z } from 'zod'
import type { CallRecord } from '../../src/ledger/index.js'
import { openaiChat, parseBody, type Request } from '../../src/protocol/index.js'
import { noUsage, picoUsd } from '../../src/quantities/index.js'
import { createRunMemory, sureTokenBound } from '../../src/understanding/index.js'
import type { DataSource } from '../report.js'
import { oneFile, readRows } from '../data/source.js'
import { loadTauBench } from '../data/tau-bench.js'
import { o200kTokens } from '../data/tokens.js'

/** One recorded run of an agent, as the ledger would hold it. */
export interface RecordedRun {
  readonly id: string
  /** Runs of the same task have the same. */
  readonly task: string
  readonly calls: readonly CallRecord[]
  /** `null` where it isn't known. */
  readonly passed: boolean | null
}

export interface RecordedRuns {
  readonly name: string
  readonly runs: readonly RecordedRun[]
  readonly sources: readonly DataSource[]
  readonly notes: readonly string[]
  /** Microseconds that the run memory took for each request. */
  readonly composeMicroseconds: readonly number[]
}

/** Declared for the benchmark, since the data has none: picodollars a token. */
const prices = { input: 2_500_000, cacheRead: 1_250_000, output: 10_000_000 }

export function priceOf(_call: CallRecord, { inputTokens, cacheReadTokens, outputTokens }: CallRecord['usage']) {
  return picoUsd(inputTokens * prices.input + cacheReadTokens * prices.cacheRead + outputTokens * prices.output)
}

/** A call of the run, its step being its place in time. */
function callOf(
  run: string,
  step: number,
  usage: { readonly inputTokens: number; readonly outputTokens: number },
  seconds: number,
  composition?: CallRecord['composition'],
): CallRecord {
  const whole = { ...noUsage, ...usage }
  const record: CallRecord = {
    callId: `${run}/${step}`,
    requestId: `${run}/${step}`,
    decisionId: `${run}/${step}`,
    at: step * 10,
    key: 'bench',
    run,
    requestedModel: 'recorded',
    provider: 'recorded',
    deployment: 'recorded/recorded',
    model: 'recorded',
    operation: 'generate',
    stream: false,
    attempt: 1,
    end: 'complete',
    status: 200,
    usage: whole,
    usageEstimated: false,
    cost: { usd: picoUsd(0), seconds, joules: null, gramsCO2e: null },
    composition,
  }
  return { ...record, cost: { ...record.cost, usd: priceOf(record, whole) } }
}

interface ChatMessage {
  readonly role: string
}

const parts = z.array(z.object({ role: z.string() }).loose())
const rewards = z.object({ task_id: z.int(), trial: z.int(), reward: z.number() })

/** τ-bench's runs, call by call: each answer of the assistant was a call with everything before it as its input. Tokens are o200k's, counted here. */
export function tauBenchRuns(root: string): RecordedRuns {
  const folder = join(root, 'tau_bench_airline')
  const loaded = loadTauBench(folder)
  const { rows } = readRows(oneFile(folder, /trajectories.*\.jsonl(\.gz)?$/), rewards)
  const passed = new Map(rows.map(({ task_id: task, trial, reward }) => [`${task}/${trial}`, reward >= 1]))
  const memory = createRunMemory()
  const composeMicroseconds: number[] = []
  const runs = loaded.conversations.map(({ id, body, answers }): RecordedRun => {
    const messages: readonly ChatMessage[] = parts.parse(body['messages'])
    const tokens = messages.map((message) => o200kTokens(JSON.stringify(message)))
    const toolTokens = o200kTokens(JSON.stringify(body['tools']))
    const calls: CallRecord[] = []
    let answered = 0
    for (let end = 0; end <= messages.length; end++) {
      const speaker = messages[end]?.role
      // The last answer stands outside of the body.
      if (end < messages.length ? speaker !== 'assistant' : answered >= answers.length) continue
      const answer = answers[answered++]
      const request = decoded({ ...body, model: 'recorded', messages: messages.slice(0, end) })
      // The gateway has always sized a request up before it asks what the run repeats.
      sureTokenBound(request)
      const begun = process.hrtime.bigint()
      const composition = memory.compose({ key: 'bench', run: id }, request)
      composeMicroseconds.push(Number(process.hrtime.bigint() - begun) / 1000)
      const inputTokens = toolTokens + tokens.slice(0, end).reduce((sum, count) => sum + count, 0)
      const outputTokens = o200kTokens(
        `${answer?.text ?? ''}${(answer?.calls ?? []).map(({ name, arguments: json }) => name + json).join('')}`,
      )
      calls.push(callOf(id, calls.length, { inputTokens, outputTokens }, 0, composition))
    }
    return { id, task: id.split('/')[0] ?? '', calls, passed: passed.get(id) === true }
  })
  return {
    name: loaded.name,
    runs,
    sources: loaded.sources,
    notes: [...loaded.notes, 'tokens are counted with o200k_base; prices are declared for the benchmark'],
    composeMicroseconds,
  }
}

/** As the gateway reads a request: bytes, scanned and parsed. */
function decoded(body: Readonly<Record<string, unknown>>): Request {
  const { json, ...wire } = parseBody(Buffer.from(JSON.stringify(body)), { maxDepth: 64 })
  return openaiChat.decodeRequest(json, { format: 'openai-chat', json, ...wire })
}

const step = z.object({ input_tokens: z.number(), output_tokens: z.number(), llm_seconds: z.number() })
const trajectory = z.object({ run: z.int(), trajectory_id: z.int(), steps: z.array(step) })

/** ScienceWorld's runs, with the token counts that were recorded; there is no text of the requests, so nothing is known of what they repeat. */
export function scienceWorldRuns(root: string): RecordedRuns {
  const { rows, source } = readRows(oneFile(join(root, 'scienceworld_react'), /trajectories.*\.jsonl(\.gz)?$/), trajectory)
  const runs = rows
    .filter(({ steps }) => steps.length > 0)
    .map(({ run, trajectory_id: id, steps }): RecordedRun => {
      const name = `${run}/${id}`
      return {
        id: name,
        task: String(id),
        calls: steps.map((one, index) =>
          callOf(name, index, { inputTokens: one.input_tokens, outputTokens: one.output_tokens }, one.llm_seconds),
        ),
        passed: null,
      }
    })
  return {
    name: 'scienceworld_react',
    runs,
    sources: [source],
    notes: ['token counts as recorded; the data says of no run whether it succeeded'],
    composeMicroseconds: [],
  }
}
