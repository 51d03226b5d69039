import type { Random } from '../../../statistics/index.js'
import { pick, spread } from './draws.js'
import { countTokens, tokenise } from './tokens.js'

/**
 * Running text of a wanted length. It is about the simulator itself, so that nobody takes it for an answer, and it varies, so
 * that caches, compressors and length predictors don't see the same sentence for ever.
 */
const SUBJECTS: readonly [string, ...string[]] = [
  'This sentence',
  'The simulator',
  'A sandbox model',
  'This answer',
  'The next line',
  'Each word here',
  'A simulated reply',
  'This paragraph',
]
const VERBS: readonly [string, ...string[]] = [
  'stands in for',
  'takes the place of',
  'is as long as',
  'is paced like',
  'is counted like',
  'is priced like',
  'is streamed like',
  'only imitates',
]
const OBJECTS: readonly [string, ...string[]] = [
  'what a real model would write',
  'a considered reply',
  'text that someone paid for',
  'a real completion',
  'the work of a language model',
  'an answer of this size',
]
const ENDINGS: readonly [string, ...string[]] = [
  'so that an application can be tried without a key',
  'and means nothing beyond its length',
  'while the meter runs as it would in earnest',
  'and a tenth of it is as true as the whole',
  'so that streams, limits and bills can be watched',
  'and no machine has thought about it',
  'until a real provider is configured',
  'at a declared speed and a declared price',
]

/** Filler of exactly `tokens` tokens. */
export function filler(tokens: number, random: Random, opening = ''): string {
  const parts: string[] = []
  let held = 0
  let sentences = 0
  if (opening !== '') {
    parts.push(opening)
    held = countTokens(opening)
  }
  while (held < tokens) {
    const gap = parts.length === 0 ? '' : sentences > 0 && sentences % 5 === 0 ? '\n\n' : ' '
    const sentence = `${gap}${pick(SUBJECTS, random)} ${pick(VERBS, random)} ${pick(OBJECTS, random)}, ${pick(ENDINGS, random)}.`
    parts.push(sentence)
    held += countTokens(sentence)
    sentences += 1
  }
  const text = parts.join('')
  return held === tokens ? text : tokenise(text).slice(0, tokens).join('')
}

/** Filler of exactly `words` words. */
function fillerWords(words: number, random: Random): string {
  const text = filler(words * 3, random).replace(/\s+/g, ' ')
  return `${text.split(' ').slice(0, words).join(' ').replace(/[,.]$/, '')}.`
}

const NUMBER_WORDS: Readonly<Record<string, number>> = {
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
}
const MOST_WORDS = 5_000

/** What a text asks about the length of the answer. */
function askedLength(text: string): { readonly words?: number; readonly sentences?: number; readonly brief?: boolean } {
  const head = text.slice(0, 4_000)
  const words = /\b(\d{1,5})[ -]words?\b/i.exec(head)
  if (words) return { words: Math.max(1, Math.min(Number(words[1]), MOST_WORDS)) }
  const sentences = /\b(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|a single) sentences?\b/i.exec(head)
  if (sentences) {
    const said = (sentences[1] as string).toLowerCase()
    return { sentences: Math.max(1, NUMBER_WORDS[said] ?? (said === 'a single' ? 1 : Number(said))) }
  }
  return { brief: /\b(?:briefly|in brief|short answer|in short|concise(?:ly)?)\b/i.test(head) }
}

export interface ProseWish {
  /** The name the model goes by. */
  readonly model: string
  readonly text: string
  readonly images: number
  readonly files: number
  /** Mean length of a free answer. */
  readonly meanTokens: number
  /** Exact length, where the caller asked for one. */
  readonly tokens: number | undefined
  readonly verbosity: 'low' | 'medium' | 'high' | undefined
}

/** A free answer: says what it is, what it was asked and shown, and goes on for as long as such an answer would. */
export function prose(wish: ProseWish, random: Random): string {
  if (wish.tokens !== undefined) return filler(wish.tokens, random)
  const asked = askedLength(wish.text)
  if (asked.words !== undefined) return fillerWords(asked.words, random)
  if (asked.sentences !== undefined) {
    const sentences = [`This is ${wish.model}, a simulated model that has not really read your message.`]
    while (sentences.length < asked.sentences) sentences.push(`${pick(SUBJECTS, random)} ${pick(VERBS, random)} ${pick(OBJECTS, random)}.`)
    return sentences.join(' ')
  }
  const opening = [
    `This is ${wish.model}, a model that Bursar simulates: no real model has read your message.`,
    quote(wish.text),
    wish.images > 0
      ? `It came with ${count(wish.images, 'image')}, which ${wish.images === 1 ? 'was' : 'were'} received but not looked at.`
      : '',
    wish.files > 0 ? `It came with ${count(wish.files, 'file')}, which ${wish.files === 1 ? 'was' : 'were'} received but not read.` : '',
  ]
    .filter((sentence) => sentence !== '')
    .join(' ')
  const factor = (asked.brief ? 0.3 : 1) * (wish.verbosity === 'low' ? 0.5 : wish.verbosity === 'high' ? 2 : 1)
  // Lengths of real answers are skewed: most short, few very long.
  const target = Math.round(wish.meanTokens * factor * spread(random, 0.4))
  const opened = countTokens(opening)
  if (target <= opened) return opening
  // Ends with the sentence that reaches the target, not in the middle of one.
  const text = filler(target, random, opening)
  const end = text.lastIndexOf('.')
  return end > opening.length ? text.slice(0, end + 1) : opening
}

/** The beginning of what was asked. */
function quote(text: string): string {
  const words = text
    .slice(0, 600)
    .split(/\s+/)
    .filter((word) => word !== '')
  if (words.length === 0) return 'Your message held no text.'
  const shown = words.slice(0, 14).join(' ')
  const cut = shown.length > 160 ? [...shown].slice(0, 160).join('') : shown
  return `You wrote: “${cut}${words.length > 14 || cut !== shown || text.length > 600 ? ' …' : ''}”.`
}

function count(number: number, thing: string): string {
  return number === 1 ? `one ${thing}` : `${number} ${thing}s`
}

/** The answer that follows tool results: quotes each. */
export function proseAboutResults(
  model: string,
  results: readonly { readonly name: string; readonly text: string; readonly failed: boolean }[],
): string {
  const longest = 2_000
  const lines = results.map(({ name, text, failed }) => {
    const characters = [...text.slice(0, longest * 2)]
    const shown = characters.length > longest ? `${characters.slice(0, longest).join('')} …` : text
    return failed ? `The tool ${name} failed: ${shown}` : `The tool ${name} returned: ${shown}`
  })
  return `${lines.join('\n')}\n(Simulated answer of ${model}.)`
}
