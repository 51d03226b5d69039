import { z } from 'zod'
import { assistantMessage, functionTool, schemaOf, type LoadedConversations, type RecordedConversation } from './conversation.js'
import { oneFile, readRows } from './source.js'

const step = z.object({ tool_name: z.string().nullable(), inputs: z.record(z.string(), z.unknown()).nullable(), observation: z.unknown() })
const trajectory = z.object({
  run: z.int(),
  trajectory_id: z.int(),
  goal: z.string(),
  initial_observation: z.string(),
  steps: z.array(step),
})

/** ScienceWorld's recorded runs of an agent as a conversation with tool calls, an observation being the result. */
export function loadScienceWorld(folder: string): LoadedConversations {
  const { rows, source } = readRows(oneFile(folder, /trajectories.*\.jsonl(\.gz)?$/), trajectory)
  const samples = new Map<string, Record<string, unknown>[]>()
  for (const { steps } of rows)
    for (const { tool_name: name, inputs } of steps) {
      if (name === null || name === '') continue
      const list = samples.get(name) ?? []
      list.push(inputs ?? {})
      samples.set(name, list)
    }
  const tools = [...samples].map(([name, list]) => functionTool(name, `The action ${name}.`, schemaOf(list)))
  return {
    name: 'scienceworld_react',
    conversations: rows.map(({ run, trajectory_id: id, goal, initial_observation: first, steps }): RecordedConversation => {
      const done = steps.flatMap(({ tool_name: name, inputs, observation }, index) =>
        name === null || name === ''
          ? []
          : [
              {
                call: { id: `call_${index}`, name, arguments: JSON.stringify(inputs ?? {}) },
                observation: typeof observation === 'string' ? observation : JSON.stringify(observation ?? null),
              },
            ],
      )
      return {
        id: `${run}/${id}`,
        body: {
          messages: [
            { role: 'system', content: goal },
            { role: 'user', content: first },
            ...done.flatMap(({ call, observation }) => [
              assistantMessage({ calls: [call] }),
              { role: 'tool', tool_call_id: call.id, content: observation },
            ]),
          ],
          tools,
          tool_choice: 'required',
        },
        answers: done.map(({ call }) => ({ calls: [call] })),
      }
    }),
    sources: [source],
    notes: ['ids of calls and schemas of tools are made up: the data has none'],
  }
}
