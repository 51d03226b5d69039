import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { dataSource } from '../report.js'
import type { LoadedConversations, RecordedConversation } from './conversation.js'
import { DataProblem, oneFile } from './source.js'

const turn = z.object({
  speaker: z.string().min(1),
  text: z.string(),
  img_url: z.array(z.string()).optional(),
  blip_caption: z.string().optional(),
})
const sample = z.object({
  sample_id: z.string().min(1),
  conversation: z.looseObject({ speaker_a: z.string().min(1), speaker_b: z.string().min(1) }),
  qa: z.array(z.looseObject({ question: z.string(), answer: z.union([z.string(), z.number()]).optional() })).min(1),
})
type Turn = z.infer<typeof turn>

/**
 * LoCoMo's long chats of two people with pictures by URL: one speaker is the user, the other the assistant; a question of the data ends
 * it.
 */
export function loadLocomo(folder: string): LoadedConversations {
  const { samples, source } = read(folder)
  return {
    name: 'locomo',
    conversations: samples.map(({ sample_id: id, conversation, qa }): RecordedConversation => {
      const messages = sessions(conversation, id).flatMap(({ date, turns }) => [
        { role: 'user', content: `(${date})` },
        ...turns.map((said) => messageOf(said, conversation.speaker_a)),
      ])
      return {
        id,
        body: {
          messages: [
            { role: 'system', content: `You are ${conversation.speaker_b}.` },
            ...messages,
            { role: 'user', content: qa[0]?.question },
          ],
          max_tokens: 1000,
        },
        answers: qa.flatMap(({ answer }) => (answer === undefined ? [] : [{ text: String(answer), calls: [] }])),
      }
    }),
    sources: [source],
    notes: ['the first speaker is the user, the second the assistant'],
  }
}

/** The same chats, a session each, as a group chat: everyone is a user with a name, which only chat completions can say. */
export function loadLocomoNamed(folder: string): LoadedConversations {
  const { samples, source } = read(folder)
  return {
    name: 'locomo, named speakers',
    conversations: samples.flatMap(({ sample_id: id, conversation }) =>
      sessions(conversation, id).map(({ date, turns }): RecordedConversation => ({
        id: `${id}/${date}`,
        body: { messages: turns.map(({ speaker, text }) => ({ role: 'user', name: speaker, content: text })) },
        answers: [],
      })),
    ),
    sources: [source],
    notes: ['names of speakers, as group chats send them'],
  }
}

function read(folder: string): { readonly samples: readonly z.infer<typeof sample>[]; readonly source: ReturnType<typeof dataSource> } {
  const file = oneFile(folder, /^locomo.*\.json(\.gz)?$/)
  const packed = readFileSync(file)
  const parsed = z.array(sample).safeParse(JSON.parse((packed[0] === 0x1f ? gunzipSync(packed) : packed).toString('utf8')))
  if (!parsed.success)
    throw new DataProblem(`${file}, field ${parsed.error.issues[0]?.path.join('.')}: ${parsed.error.issues[0]?.message}.`)
  return { samples: parsed.data, source: dataSource('locomo', file, parsed.data.length) }
}

function sessions(
  conversation: z.infer<typeof sample>['conversation'],
  id: string,
): { readonly date: string; readonly turns: readonly Turn[] }[] {
  const found: { date: string; turns: readonly Turn[] }[] = []
  for (let number = 1; conversation[`session_${number}`] !== undefined; number++) {
    const turns = z.array(turn).min(1).safeParse(conversation[`session_${number}`])
    if (!turns.success)
      throw new DataProblem(
        `locomo ${id}, session ${number}, field ${turns.error.issues[0]?.path.join('.')}: ${turns.error.issues[0]?.message}.`,
      )
    found.push({ date: String(conversation[`session_${number}_date_time`] ?? `session ${number}`), turns: turns.data })
  }
  return found
}

/** Pictures of the user are sent as such; those of the assistant only by their caption, since a model's answers hold no pictures. */
function messageOf({ speaker, text, img_url: pictures, blip_caption: caption }: Turn, user: string): Record<string, unknown> {
  if (speaker !== user) return { role: 'assistant', content: caption === undefined ? text : `${text} [${caption}]` }
  if (pictures === undefined || pictures.length === 0) return { role: 'user', content: text }
  return { role: 'user', content: [{ type: 'text', text }, ...pictures.map((url) => ({ type: 'image_url', image_url: { url } }))] }
}
