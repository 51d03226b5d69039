import type { Request } from '../../protocol/index.js'
import type { Traits } from '../features.js'
import { folded, wordsOf } from '../lexical/characters.js'
import { likelyTokens } from '../token-bounds.js'
import type { Asked } from './asked-text.js'
import { createCueMatcher } from './cues.js'
import { holdsDates, holdsPersonalData, longestLookedAt } from './personal-data.js'

/** What the text alone tells. */
export type TextTraits = Omit<Traits, 'inputTokens' | 'turns' | 'tools' | 'toolLoop' | 'images' | 'structured'> & {
  /** Whether the text itself asks for JSON. */
  readonly asksJson: boolean
}

const cues = createCueMatcher({
  fresh: [
    'today, tonight, yesterday, tomorrow, currently, latest, newest, nowadays, recently, upcoming, right now, at the moment, as of now, this week, this month, this year, last week, last month, last year, next week, next month, next year, up to date, so far this',
    'news, headlines, weather, forecast, stock price, share price, price now, prices now, exchange rate, price of bitcoin, price of gold, current price, current president, current ceo, current time, current date, current version, what time is it, what day is it, live score, who won the last, is it open, still alive, how old is',
    'heute, gestern, morgen, aktuell, aktuelle, aktuellen, derzeit, neueste, neuesten, diese woche, dieses jahr, wetter, nachrichten, wie spät',
    'aujourdhui, hier, demain, actuel, actuelle, actuellement, dernières nouvelles, en ce moment, cette semaine, météo',
    'hoy, ayer, mañana, actualmente, últimas noticias, esta semana, este año, el tiempo en, hoje, ontem, amanhã, atualmente, notícias, oggi, ieri, domani, attualmente, notizie',
    '今天, 昨天, 明天, 最新, 目前, 现在几点, 新闻, 天气, 今日, 昨日, 明日, 最近, ニュース, 天気, 오늘, 어제, 내일, 최신, 뉴스, 날씨, сегодня, вчера, завтра, последние, новости, погода, сейчас',
  ],
  step: [
    'prove, derive, step by step, first, then, finally, next, afterwards, explain why, show that, show your work, justify, compare, analyze, analyse, evaluate, design, plan, optimize, optimise, at least, at most, respectively, if and only if, such that, given that, in order to, suppose, assume, determine, calculate, how many',
    'beweise, leite her, schritt für schritt, zuerst, dann, danach, schließlich, begründe, vergleiche, berechne, bestimme',
    'prouve, démontre, étape par étape, dabord, ensuite, puis, enfin, compare, calcule, demuestra, paso a paso, primero, luego, después, calcula, determina, passo a passo, primeiro, depois, calcule, dimostra, prima, poi, calcola',
    '证明, 一步一步, 首先, 然后, 最后, 计算, 步骤, 証明, 順番に, まず, 次に, 計算, 증명, 단계, 계산, докажи, шаг за шагом, сначала, затем, вычисли',
  ],
  code: [
    'python, javascript, typescript, java code, golang, rust code, bash script, shell script, regex, stack trace, traceback, compile error, unit test, source code, code snippet, write a function, write a program, write code, this code, my code, the code, debug, refactor, sql, select from, html, css, api endpoint, null pointer, segfault',
  ],
  json: [
    'in json, as json, json format, json object, json schema, json array, return json, output json, valid json, json only, im json format, en json, en format json, formato json',
  ],
})

const codeShapes =
  /```|^\s*(?:def|class|import|from|public|private|static|const|let|var|func|fn|package|using|#include|@\w+\()[ (]|\b(?:def|function|fn|func)\s+\w+\s*\(|=>\s*[{(\w]|[;{]\s*\n|\bconsole\.log\(|\bprint\(|\bSELECT\b[\s\S]{1,400}?\bFROM\b|<\/?(?:div|span|html|body|script|table)\b/m

/** Facts of a text. At most one pass of each rule; rules that must not miss anything look at the whole, up to their bound, the others at the cut text. */
export function textTraits({ text, whole }: Asked, words: readonly string[]): TextTraits {
  const found = cues.match(words)
  // Where the text was cut, the words of the whole are split only as far as the safe-side rules look at all.
  const all = whole.length === text.length || whole.length > longestLookedAt ? words : wordsOf(folded(whole, longestLookedAt))
  return {
    characters: text.length,
    code: found.has('code') || codeShapes.test(text),
    personalData: holdsPersonalData(whole, all),
    fresh: found.has('fresh'),
    dates: holdsDates(whole, all),
    numeric: numericShare(text),
    stepCues: found.get('step') ?? 0,
    choices: choicesIn(text),
    asksJson: found.has('json'),
  }
}

/** Facts of a request; of `text` those given. Linear in the request's parts, its texts' bytes counted natively. */
export function traitsOf(request: Request, text: TextTraits): Traits {
  let turns = 0
  let images = false
  for (const { role, parts } of request.messages) {
    let said = false
    for (const part of parts) {
      if (part.type === 'image') images = true
      if (part.type !== 'tool_result') said = true
      else if (part.content.some(({ type }) => type === 'image')) images = true
    }
    if (role === 'user' && said) turns++
  }
  const last = request.messages.at(-1)
  // Field by field: spreading what is left of an object costs as much as all the rest.
  const { characters, code, personalData, fresh, dates, numeric, stepCues, choices, asksJson } = text
  return {
    characters,
    code,
    personalData,
    fresh,
    dates,
    numeric,
    stepCues,
    choices,
    inputTokens: likelyTokens(request),
    turns,
    tools: (request.tools?.length ?? 0) > 0,
    toolLoop: last !== undefined && (last.role === 'tool' || last.parts.some(({ type }) => type === 'tool_result')),
    images,
    structured: asksJson || (request.responseFormat !== undefined && request.responseFormat.type !== 'text'),
  }
}

const operators = new Set('+-*/=<>^%√∑∫≤≥≠±×÷'.split('').map((character) => character.charCodeAt(0)))
/** 1 for ASCII digits and operators. */
const asciiNumeric = Uint8Array.from({ length: 0x80 }, (_, unit) => ((unit >= 0x30 && unit <= 0x39) || operators.has(unit) ? 1 : 0))

function numericShare(text: string): number {
  if (text.length === 0) return 0
  let numeric = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80 ? asciiNumeric[unit] === 1 : operators.has(unit)) numeric++
  }
  return numeric / text.length
}

const choiceMark = /(?:^|[\n\s])(?:\(([A-Ja-j])\)|([A-Ja-j])[.):])(?=\s|\S)/g

/** A cheaper look for what any second mark holds: most texts have none. */
const secondMark = /[Bb][.):]/
/** How far the marks A, B, C … of choices go, in this order; 0 when there is no B. Upper or lower case, "A.", "A)", "(A)" or "A:". */
function choicesIn(text: string): number {
  if (!secondMark.test(text)) return 0
  let most = 0
  let expected = 0
  let base = 0
  for (const match of text.matchAll(choiceMark)) {
    const unit = (match[1] ?? match[2] ?? '').charCodeAt(0)
    if (unit === 0x41 || unit === 0x61) {
      base = unit
      expected = 1
    } else if (expected > 0 && unit === base + expected) expected++
    most = Math.max(most, expected)
  }
  return most >= 2 ? most : 0
}
