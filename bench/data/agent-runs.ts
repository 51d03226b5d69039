import { z } from 'zod'
import type { PastRun } from '../../src/evaluation/index.js'
import { countTokens } from '../../src/understanding/index.js'
import type { DataSource } from '../report.js'
import { oneFile, readRows } from './source.js'
import { loadTauBench } from './tau-bench.js'

export interface AgentRuns {
  readonly name: string
  /** Rounds one after the other: of each round a task's run is later than those of the rounds before. */
  readonly runs: readonly (PastRun & { readonly round: number })[]
  readonly sources: readonly DataSource[]
  readonly notes: readonly string[]
}

const trajectory = z.object({
  run: z.int(),
  goal: z.string(),
  steps: z.array(z.object({ input_tokens: z.int().min(0), output_tokens: z.int().min(0) })).min(1),
})

/** ScienceWorld's ReAct runs with the tokens that were measured at each step. */
export function scienceWorldRuns(folder: string): AgentRuns {
  const { rows, source } = readRows(oneFile(folder, /trajectories.*\.jsonl(\.gz)?$/), trajectory)
  return {
    name: 'scienceworld_react',
    runs: rows
      .map(({ run, goal, steps }) => ({
        task: goal,
        text: goal,
        // "Your task is to" says nothing; the verb and what follows does.
        category: goal.split(/\s+/).slice(4, 7).join(' '),
        round: run,
        steps: steps.map((step) => ({ inputTokens: step.input_tokens, outputTokens: step.output_tokens })),
      }))
      .sort((a, b) => a.round - b.round),
    sources: [source],
    notes: [
      'category: the first three words after "Your task is to"',
      'calls that led to no step are in the total of some runs, not in ours',
    ],
  }
}

/** τ-bench's airline runs, tokens counted with gpt-4o's vocabulary: each call sends the policy, the tools and all that was said before. */
export async function tauBenchRuns(folder: string): Promise<AgentRuns> {
  const { conversations, sources } = loadTauBench(folder)
  const counted = new Map<string, number>()
  const tokensOf = async (text: string) => {
    const known = counted.get(text) ?? (await countTokens(text, 'o200k_base')).tokens
    counted.set(text, known)
    return known
  }
  const runs: AgentRuns['runs'][number][] = []
  for (const { id, body, answers } of conversations) {
    const [task = '', round = '0'] = id.split('/')
    const messages = messagesOf(body)
    const steps: { inputTokens: number; outputTokens: number }[] = []
    let context = await tokensOf(JSON.stringify(body['tools'] ?? []))
    for (const { role, text } of messages) {
      const size = (await tokensOf(text)) + perMessage
      if (role === 'assistant') steps.push({ inputTokens: context, outputTokens: size })
      context += size
    }
    // What was said last is no part of the body.
    for (const { text, calls } of answers.slice(steps.length))
      steps.push({ inputTokens: context, outputTokens: await tokensOf(`${text ?? ''}${JSON.stringify(calls)}`) })
    if (steps.length > 0) runs.push({ task, text: messages.find(({ role }) => role === 'user')?.text ?? '', round: Number(round), steps })
  }
  return {
    name: 'tau_bench_airline',
    runs: [...runs].sort((a, b) => a.round - b.round),
    sources,
    notes: [
      'tokens counted with o200k_base, 4 more a message; schemas of tools made from the calls',
      "text: the customer's first message, which is all that the agent sees before its first call",
    ],
  }
}

/** What the chat format adds to each message. */
const perMessage = 4

const message = z.looseObject({ role: z.string(), content: z.unknown(), tool_calls: z.unknown().optional() })

function messagesOf(body: Readonly<Record<string, unknown>>): readonly { readonly role: string; readonly text: string }[] {
  return z
    .array(message)
    .parse(body['messages'])
    .map(({ role, content, tool_calls: calls }) => ({
      role,
      text: `${typeof content === 'string' ? content : ''}${calls === undefined ? '' : JSON.stringify(calls)}`,
    }))
}
