import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { dataSource } from '../report.js'
import { functionTool, schemaOf, type LoadedConversations, type RecordedConversation } from './conversation.js'
import { oneFile, readRows } from './source.js'

const call = z.object({ id: z.string().min(1), function: z.object({ name: z.string().min(1), arguments: z.string() }) })
const message = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: z.string() }),
  z.object({ role: z.literal('assistant'), content: z.string().nullable(), tool_calls: z.array(call).optional() }),
  z.object({ role: z.literal('tool'), content: z.string(), tool_call_id: z.string().min(1), name: z.string() }),
])
const trajectory = z.object({ task_id: z.int(), trial: z.int(), messages: z.array(message).min(1) })

/** τ-bench's recorded trajectories of an agent: the policy, what was said, every tool call and its result. */
export function loadTauBench(folder: string): LoadedConversations {
  const { rows, source } = readRows(oneFile(folder, /trajectories.*\.jsonl(\.gz)?$/), trajectory)
  const policyFile = oneFile(folder, /policy.*\.txt$/)
  const policy = readFileSync(policyFile, 'utf8')
  const samples = new Map<string, Record<string, unknown>[]>()
  for (const { messages } of rows)
    for (const said of messages)
      for (const { function: called } of (said.role === 'assistant' && said.tool_calls) || []) {
        const given: unknown = JSON.parse(called.arguments)
        const list = samples.get(called.name) ?? []
        list.push(typeof given === 'object' && given !== null ? { ...given } : {})
        samples.set(called.name, list)
      }
  const tools = [...samples].map(([name, list]) => functionTool(name, `The tool ${name}.`, schemaOf(list)))
  return {
    name: 'tau_bench_airline',
    conversations: rows.map(({ task_id: task, trial, messages }): RecordedConversation => {
      const last = messages.findLastIndex(({ role }) => role !== 'assistant')
      return {
        id: `${task}/${trial}`,
        body: {
          messages: [
            { role: 'system', content: policy },
            ...messages
              .slice(0, last + 1)
              .map((said) =>
                said.role === 'assistant' && said.tool_calls
                  ? { ...said, tool_calls: said.tool_calls.map((one) => ({ ...one, type: 'function' })) }
                  : said,
              ),
          ],
          tools,
          temperature: 0,
        },
        answers: messages.flatMap((said) =>
          said.role === 'assistant'
            ? [
                {
                  ...(said.content === null ? {} : { text: said.content }),
                  calls: (said.tool_calls ?? []).map(({ id, function: { name, arguments: json } }) => ({ id, name, arguments: json })),
                },
              ]
            : [],
        ),
      }
    }),
    sources: [source, dataSource('system_policy', policyFile, 1)],
    notes: ['the schemas of the tools are made from the calls: the data has none'],
  }
}
