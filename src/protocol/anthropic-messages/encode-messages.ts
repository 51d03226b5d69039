import type { Message, Part } from '../conversation.js'
import { encodeAssistantPart, encodeText, encodeUserPart, type Block, type EncodeState } from './encode-content.js'

export interface EncodedConversation {
  readonly system: string | readonly Block[] | undefined
  readonly messages: readonly Block[]
}

/** System messages that stand before everything else. */
export function leadingSystem(messages: readonly Message[]): number {
  let count = 0
  while (messages[count]?.role === 'system' || messages[count]?.role === 'developer') count++
  return count
}

export function encodeSystem(messages: readonly Message[], state: EncodeState): string | Block[] | undefined {
  const { billing } = state.extras
  const blocks: Block[] = billing === undefined ? [] : [{ ...billing }]
  for (const [index, message] of messages.entries()) encodeSystemParts(message, `messages[${index}]`, state, blocks)
  if (blocks.length === 0) return undefined
  const [only] = blocks
  const plain =
    billing === undefined &&
    blocks.length === 1 &&
    only !== undefined &&
    Object.keys(only).length === 2 &&
    messages[0]?.parts[0]?.at === messages[0]?.at
  return plain && typeof only['text'] === 'string' ? only['text'] : blocks
}

function encodeSystemParts(message: Message, path: string, state: EncodeState, blocks: Block[]): void {
  for (const [index, part] of message.parts.entries()) {
    if (part.type === 'text') {
      const block = encodeText(part, state)
      if (block !== undefined) blocks.push(block)
    } else state.drop.unsupported(part.at ?? `${message.at ?? path}.content[${index}]`, 'Anthropic takes only text as instructions')
  }
}

/**
 * The conversation after the leading instructions. Everything between two answers becomes one user message, tool results
 * in front, as Anthropic demands; answers in a row become one. Instructions inside the conversation stand after the user
 * message that they belong to, where the model takes them (`systemInside`): they rule the same answer from there.
 */
export function encodeTurns(messages: readonly Message[], first: number, systemInside: boolean, state: EncodeState): Block[] {
  const encoded: Block[] = []
  let run: Message[] = []
  const flush = (): void => {
    if (run.length > 0) encodeRun(run, systemInside, state, encoded)
    run = []
  }
  for (let index = first; index < messages.length; index++) {
    const message = messages[index]
    if (message === undefined) continue
    if (message.name !== undefined)
      state.drop.unsupported(`${message.at ?? `messages[${index}]`}.name`, 'Anthropic has no names of speakers')
    if (message.role !== 'assistant') {
      run.push(message)
      continue
    }
    const content: Block[] = []
    for (const [at, part] of message.parts.entries()) {
      const block = encodeAssistantPart(part, `${message.at ?? `messages[${index}]`}.content[${at}]`, state)
      if (block !== undefined) content.push(block)
    }
    // An answer without content (all of it left out) can't be sent; its neighbours then meet in one user message.
    if (content.length === 0) continue
    flush()
    append(encoded, 'assistant', content, message, state)
  }
  flush()
  return encoded
}

function append(encoded: Block[], role: 'user' | 'assistant', content: Block[], message: Message | undefined, state: EncodeState): void {
  const last = encoded.at(-1)
  if (last?.['role'] === role && Array.isArray(last['content'])) {
    last['content'].push(...content)
    return
  }
  // Answers may be merged into later, so theirs stays a list.
  const block: Block = { role, content: (role === 'user' ? onlyText(content, message) : undefined) ?? content }
  state.extras.restore(message?.at, block)
  encoded.push(block)
}

/** A message that came as one string goes out as one. */
function onlyText(content: readonly Block[], message: Message | undefined): string | undefined {
  const [only] = content
  if (content.length !== 1 || only === undefined || only['type'] !== 'text' || Object.keys(only).length !== 2) return undefined
  const part = message?.parts[0]
  return message?.parts.length === 1 && part?.at === `${message.at}.content` && typeof only['text'] === 'string' ? only['text'] : undefined
}

function isEmpty(message: Message): boolean {
  return message.parts.every((part) => part.type === 'text' && part.text === '')
}

function encodeRun(run: readonly Message[], systemInside: boolean, state: EncodeState, encoded: Block[]): void {
  const results: Block[] = []
  const others: Block[] = []
  const instructions: { readonly part: Part; readonly at: string }[] = []
  for (const message of run) {
    const at = message.at ?? 'messages'
    for (const [index, part] of message.parts.entries()) {
      const path = part.at ?? `${at}.content[${index}]`
      if (message.role === 'system' || message.role === 'developer') {
        instructions.push({ part, at: path })
        continue
      }
      const block = encodeUserPart(part, path, state)
      if (block !== undefined) (part.type === 'tool_result' ? results : others).push(block)
    }
  }
  const content = [...results, ...others]
  const system: Block[] = []
  for (const { part, at } of instructions) {
    if (part.type !== 'text') {
      state.drop.unsupported(at, 'Anthropic takes only text as instructions')
      continue
    }
    const block = encodeText(part, state)
    if (block === undefined) continue
    if (systemInside && content.length > 0) system.push(block)
    else {
      state.drop.adjusted?.(
        at,
        systemInside
          ? 'instructions inside the conversation must follow a user message; told as one'
          : 'this model takes instructions only before the conversation; told as part of the user message',
      )
      content.push({ ...block, text: `<system>\n${part.text}\n</system>` })
    }
  }
  const only = run.length === 1 ? run[0] : undefined
  if (content.length > 0) append(encoded, 'user', content, only ?? run.find((message) => message.role === 'user'), state)
  else if (run.every(isEmpty)) state.drop.unsupported(run[0]?.at ?? 'messages', 'Anthropic takes no message without content')
  if (system.length > 0) encoded.push({ role: 'system', content: system })
}
