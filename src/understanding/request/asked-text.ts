import type { Message, Request } from '../../protocol/index.js'
import { longestText } from '../lexical/characters.js'

/** What a request asks about, and its shape, without a look at the words. */
export interface Asked {
  /** Cut to `longestText` characters. */
  readonly text: string
  /** The same without the cut, where there was one: for rules that must not miss anything. */
  readonly whole: string
}

/** A last message shorter than this ("and in French?") is read together with what the user said before. */
const tooShortAlone = 24
/** How many earlier messages of the user are looked at, and how much of them. */
const earlierMessages = 3
const earlierCharacters = 1024

/**
 * The last user message's text; with earlier user text before it only when the last is shorter than 24 characters. Where no user says anything,
 * the last text of any role but a tool's (callers who put everything into the system prompt). Linear in that text; a conversation's length doesn't matter much.
 */
export function askedOf(request: Request): Asked {
  const { messages } = request
  let text = ''
  let earlier = 0
  for (let at = messages.length - 1; at >= 0; at--) {
    const message = messages[at]
    if (message?.role !== 'user') continue
    const said = saidIn(message)
    if (said === '') continue
    if (text === '') text = said
    else {
      text = `${said.length > earlierCharacters ? said.slice(-earlierCharacters) : said}\n${text}`
      earlier++
    }
    if (text.length >= tooShortAlone || earlier === earlierMessages) break
  }
  for (let at = messages.length - 1; at >= 0 && text === ''; at--) {
    const message = messages[at]
    if (message !== undefined && message.role !== 'tool') text = saidIn(message)
  }
  return asked(text)
}

/** A text alone, as if it were the last user message. */
export function asked(text: string): Asked {
  const whole = text.trim()
  return { text: cut(whole), whole }
}

function saidIn(message: Message): string {
  const texts: string[] = []
  for (const part of message.parts) if (part.type === 'text') texts.push(part.text)
  return texts.length === 1 ? (texts[0] ?? '').trim() : texts.join('\n').trim()
}

/** Cuts the middle out, where instructions seldom are: keeps the first five eighths and the last three. Never halves a surrogate pair. */
export function cut(text: string): string {
  if (text.length <= longestText) return text
  let head = Math.floor((longestText - 3) * 0.625)
  let tail = text.length - (longestText - 3 - head)
  if (isHigh(text.charCodeAt(head - 1))) head--
  if (isHigh(text.charCodeAt(tail - 1))) tail++
  return `${text.slice(0, head)}\n…\n${text.slice(tail)}`
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
