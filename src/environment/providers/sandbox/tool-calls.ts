import type { FunctionTool, Request } from '../../../protocol/index.js'
import type { Random } from '../../../statistics/index.js'
import { findHints, type Hints } from './hints.js'
import { valueForSchema } from './schema-values.js'

/** One call that the model makes. */
export interface PlannedCall {
  readonly name: string
  readonly arguments: string
}

const MOST_CALLS = 10
/** Words of names and descriptions that every tool has. */
const COMMON = new Set([
  'tool',
  'function',
  'call',
  'this',
  'that',
  'with',
  'from',
  'given',
  'return',
  'returns',
  'find',
  'fetch',
  'make',
  'the',
  'and',
  'for',
  'use',
  'used',
  'user',
  'when',
  'what',
  'which',
  'data',
  'information',
  'value',
  'about',
  'your',
  'name',
  'get',
  'set',
  'has',
  'have',
  'will',
  'some',
  'into',
])

/**
 * Decides which tools the last message asks for, and with which arguments. A forced choice is obeyed; else a tool is called when the
 * message speaks of it: its name, or the words of its name or description. Several are called at once when the message
 * speaks of several tools, or of several places for one, and the caller allows it.
 */
export function planToolCalls(request: Request, text: string, random: Random): readonly PlannedCall[] {
  const tools = (request.tools ?? []).filter((tool): tool is FunctionTool => tool.type === 'function')
  const choice = request.toolChoice ?? 'auto'
  if (tools.length === 0 || choice === 'none') return []
  const hints = findHints(text)
  let chosen: readonly FunctionTool[]
  if (typeof choice === 'object') chosen = tools.filter((tool) => tool.name === choice.name).slice(0, 1)
  else {
    const lower = hints.text.toLowerCase()
    const words = new Set(lower.match(/[\p{L}\p{N}]{3,}/gu)?.map(stem) ?? [])
    const scored = tools.map((tool) => ({ tool, score: relevance(tool, lower, words) }))
    const best = scored.reduce((highest, next) => (next.score > highest.score ? next : highest))
    chosen = scored.filter(({ score }) => score >= 2 && score >= best.score / 2).map(({ tool }) => tool)
    if (chosen.length === 0 && (best.score >= 1 || /\b(?:use|call|run|invoke)\b.{0,40}\b(?:tools?|functions?)\b/i.test(text)))
      chosen = [best.tool]
    if (chosen.length === 0 && choice === 'required') chosen = [best.tool]
  }
  const parallel = request.parallelToolCalls !== false
  const calls: PlannedCall[] = []
  for (const tool of parallel ? chosen : chosen.slice(0, 1)) {
    const several = parallel && chosen.length === 1 && hints.places.length > 1 ? hints.places : [undefined]
    for (const place of several) {
      if (calls.length >= MOST_CALLS) return calls
      const about: Hints = place === undefined ? hints : { ...hints, places: [place], names: [place], quoted: [] }
      const path = `${tool.at ?? `tools["${tool.name}"]`}.parameters`
      const value = tool.parameters ? valueForSchema({ type: 'object', ...tool.parameters }, about, random, path) : {}
      calls.push({ name: tool.name, arguments: JSON.stringify(value) })
    }
  }
  return calls
}

/** 3 for the tool's own name, 1 for each word that its name shares with the message, 1/2 for a word of its description. */
function relevance(tool: FunctionTool, text: string, said: ReadonlySet<string>): number {
  if (tool.name.length > 2 && text.includes(tool.name.toLowerCase())) return 3
  let score = 0
  const nameWords = wordsOf(tool.name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_.-]/g, ' '))
  for (const word of nameWords) if (said.has(word)) score += 1
  for (const word of wordsOf((tool.description ?? '').slice(0, 1_000))) if (said.has(word) && !nameWords.has(word)) score += 0.5
  return score
}

function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? []
  return new Set(words.filter((word) => !COMMON.has(word)).map(stem))
}

/** Rough: enough to let "searching" find "search". */
function stem(word: string): string {
  return word.length > 4 ? word.replace(/(?:ing|ed|es|s)$/, '') : word
}
