import { UnsupportedParameter } from '../../../errors/index.js'
import type { Message, Request } from '../../../protocol/index.js'
import { splitDirectives } from './directives.js'
import { countTokens } from './tokens.js'

/** A stretch of the prompt: what is counted, and where the caller marked the end of a cached prefix. */
export interface PromptSegment {
  readonly text: string
  /** Tokens of what is no text. */
  readonly extraTokens: number
  readonly cacheTtl: '5m' | '1h' | undefined
}

/** What the simulator makes of a request. */
export interface Prompt {
  readonly segments: readonly PromptSegment[]
  /** What the last user message says, directives taken out. */
  readonly text: string
  /** What its directives say. */
  readonly directives: readonly string[]
  readonly path: string
  readonly images: number
  readonly files: number
  /** Results that the conversation ends with: then the answer is about them. */
  readonly results: readonly { readonly name: string; readonly text: string; readonly failed: boolean }[]
}

const IMAGE_TOKENS = { low: 85, high: 765 }
const BYTES_PER_FILE_TOKEN = 4

/** Reads a request in the order in which a model would. `drop` says what happens to what the simulator can't take. */
export function readPrompt(request: Request, drop: (path: string, why: string) => void): Prompt {
  const segments: PromptSegment[] = []
  for (const tool of request.tools ?? []) {
    if (tool.type === 'native') {
      drop(tool.at ?? 'tools', 'the sandbox has no tools of its own')
      continue
    }
    segments.push({
      text: `${tool.name}\n${tool.description ?? ''}\n${JSON.stringify(tool.parameters ?? {})}`,
      extraTokens: 4,
      cacheTtl: tool.cache ? (tool.cache.ttl ?? '5m') : undefined,
    })
  }
  const { messages } = request
  messages.forEach((message, index) => readMessage(message, message.at ?? `messages[${index}]`, segments, drop))

  const lastUser = messages.findLastIndex((message) => message.role === 'user' && message.parts.some((part) => part.type !== 'tool_result'))
  const user = messages[lastUser]
  const said = splitDirectives(
    user
      ? user.parts
          .map((part) => (part.type === 'text' ? part.text : ''))
          .filter((text) => text !== '')
          .join('\n')
      : '',
  )
  return {
    segments,
    text: said.text,
    directives: said.said,
    path: user?.at ?? `messages[${Math.max(0, lastUser)}]`,
    images: user?.parts.filter((part) => part.type === 'image').length ?? 0,
    files: user?.parts.filter((part) => part.type === 'file').length ?? 0,
    results: resultsAtEnd(messages),
  }
}

function readMessage(message: Message, path: string, segments: PromptSegment[], drop: (path: string, why: string) => void): void {
  // Role marks cost tokens in every chat format.
  segments.push({ text: `\n${message.role}${message.name === undefined ? '' : ` ${message.name}`}\n`, extraTokens: 0, cacheTtl: undefined })
  message.parts.forEach((part, index) => {
    const cacheTtl = part.cache ? (part.cache.ttl ?? '5m') : undefined
    switch (part.type) {
      case 'text':
      case 'refusal':
      case 'reasoning':
        segments.push({ text: part.text, extraTokens: 0, cacheTtl })
        return
      case 'image':
        segments.push({
          text: `image ${sourceText(part.source)}`,
          extraTokens: IMAGE_TOKENS[part.detail === 'low' ? 'low' : 'high'],
          cacheTtl,
        })
        return
      case 'file': {
        const bytes = part.source.kind === 'base64' ? part.source.data.length * 0.75 : 1_024
        segments.push({
          text: `file ${part.name ?? ''} ${sourceText(part.source)}`,
          extraTokens: Math.ceil(bytes / BYTES_PER_FILE_TOKEN),
          cacheTtl,
        })
        return
      }
      case 'tool_call':
        segments.push({ text: `${part.name} ${part.arguments}`, extraTokens: 4, cacheTtl })
        return
      case 'tool_result':
        segments.push({
          text: textOf(part.content),
          extraTokens: 4 + IMAGE_TOKENS.high * part.content.filter((item) => item.type === 'image').length,
          cacheTtl,
        })
        return
      case 'audio':
        drop(part.at ?? `${path}.content[${index}]`, 'the sandbox takes no sound')
        return
      case 'native':
        drop(part.at ?? `${path}.content[${index}]`, `the sandbox doesn't know this kind of block (${String(part.value.type)})`)
    }
  })
}

/** Stands for a medium when prefixes are compared: the end of a base64 text tells media apart as well as the whole. */
function sourceText(source: { readonly kind: string; readonly url?: string; readonly id?: string; readonly data?: string }): string {
  return source.url?.slice(-200) ?? source.id ?? `${source.data?.length} ${source.data?.slice(-100)}`
}

/** Tool results after the last words of the user or the model. */
function resultsAtEnd(messages: readonly Message[]): Prompt['results'] {
  const names = new Map<string, string>()
  for (const message of messages) for (const part of message.parts) if (part.type === 'tool_call') names.set(part.id, part.name)
  const results: { name: string; text: string; failed: boolean }[] = []
  for (let index = messages.length - 1; index >= 0; index--) {
    const message = messages[index] as Message
    const found = message.parts.filter((part) => part.type === 'tool_result')
    if (found.length === 0) break
    // A user who adds words to the results asks something new.
    if (message.role === 'user' && message.parts.some((part) => part.type === 'text' && part.text.trim() !== '')) break
    results.unshift(
      ...found.map((part) => ({ name: names.get(part.callId) ?? 'tool', text: textOf(part.content), failed: part.isError === true })),
    )
  }
  return results
}

function textOf(content: readonly { readonly type: string; readonly text?: string }[]): string {
  return content.map((part) => part.text ?? `[${part.type}]`).join('\n')
}

/** Refuses what the sandbox can't take, or notes it where the configuration allows dropping it. */
export function dropper(allowed: boolean | readonly string[], dropped: string[]): (path: string, why: string) => void {
  return (path, why) => {
    const root = /^[^.[]*/.exec(path)?.[0] ?? path
    const may = typeof allowed === 'boolean' ? allowed : allowed.includes(path) || allowed.includes(root)
    if (!may)
      throw new UnsupportedParameter(`${path}: ${why}. Remove it, or allow dropping it with drop_unsupported in the configuration.`, path)
    dropped.push(path)
  }
}

export function segmentTokens(segment: PromptSegment): number {
  return countTokens(segment.text) + segment.extraTokens
}
