import type { Category } from '../features.js'
import { createCueMatcher } from '../request/cues.js'
import type { TextTraits } from '../request/traits.js'
import { sureCategory } from './sure-category.js'

/** The categories that cue words tell apart. */
export const cueCategories = [
  'code',
  'sql',
  'math',
  'reasoning',
  'extraction',
  'classification',
  'summary',
  'translation',
  'writing',
  'knowledge',
  'chat',
] as const
export type CueCategory = (typeof cueCategories)[number]

const cues = createCueMatcher({
  code: [
    'python:2, javascript:2, typescript:2, golang:2, java:2, kotlin:2, c++:2, bash:2, regex:2, def:2, function:2, write a function:2, write a program:2, class, compile, compiler, debug:2, refactor:2, unit test:2, stack trace:2, traceback:2, algorithm, code:2, script:2, api, array, variable, loop, exception, bug, funktion, fonction, función, função, 函数:2, 代码:2, コード:2, 関数:2, код:2, функцию:2',
  ],
  sql: [
    'sql:4, sqlite:4, postgres:3, postgresql:3, mysql:3, select from:4, inner join:3, left join:3, group by:3, order by:2, where clause:3, primary key:3, foreign key:3, create table:4, database schema:3, table schema:3, tables, database query:3, query, column',
  ],
  math: [
    'solve:2, equation:2, equations:2, integral:3, derivative:3, theorem:3, prove:2, polynomial:3, triangle:2, probability:2, matrix:2, divisible:3, remainder:2, modulo:2, sum of, product of, square root:2, how many:2, how much:2, percent, fraction:2, integer:2, integers:2, perimeter:3, radius:2, angle, angles, function f, calculate:2, compute, total, each, \\frac:3, \\sqrt:3, \\boxed:3, berechne:2, gleichung:3, löse:2, résous:2, équation:3, calcule:2, calcula:2, ecuación:3, equação:3, 方程:3, 计算:3, 証明:2, 方程式:3, реши:2, уравнение:3',
  ],
  reasoning: [
    'logic:2, puzzle:3, riddle:3, deduce:3, infer:2, premise:3, premises:3, conclusion:2, therefore, logically:3, true or false:2, if and only if:2, statement, statements, who is lying:3, which of the following:1, argument:2, truth, valid or invalid:3, houses in a row:3, rätsel:3, énigme:3, acertijo:3, 推理:3, 逻辑:3, 論理:3, логика:3, загадка:3',
  ],
  extraction: [
    'extract:4, extrahiere:4, extrais:4, extrae:4, find all:2, list all:2, identify all:2, pull out:2, fill in the form:2, named entities:4, entities:2, in json:2, json:2, parse:2, from the text:2, from the following text:3, from this text:3, from the document:2, 提取:4, 抽取:4, 抽出:4, извлеки:4',
  ],
  classification: [
    'classify:4, classification:3, categorize:4, categorise:4, label:2, sentiment:4, positive or negative:4, spam:3, which category:4, one of the following categories:4, one of these labels:4, klassifiziere:4, classifie:4, clasifica:4, classifique:4, 分类:4, 情感:3, 分類:4, классифицируй:4',
  ],
  summary: [
    'summarize:4, summarise:4, summary:3, tl;dr:4, tldr:4, key points:3, main points:3, condense:3, in short, shorten:2, zusammenfassung:4, fasse zusammen:4, résume:4, résumé de:3, resume:1, resumen:4, resumo:4, riassumi:4, riassunto:4, 总结:4, 摘要:4, 概括:4, 要約:4, 요약:4, кратко:2, резюме:3',
  ],
  translation: [
    'translate:4, translation:3, translator:3, in french:2, in german:2, in spanish:2, in italian:2, in chinese:2, in japanese:2, into english:3, into french:3, into german:3, into spanish:3, to english:2, to french:2, to german:2, to spanish:2, how do you say:3, how do i say:3, how to say:3, übersetze:4, übersetzung:4, traduis:4, traduire:4, traduction:4, traduce:4, traducir:4, traduza:4, traduzir:4, traduci:4, 翻译:4, 译成:4, 翻訳:4, 訳して:4, 번역:4, переведи:4, перевод:4',
  ],
  writing: [
    'write a poem:4, poem:3, story:3, essay:4, blog:3, blog post:2, email:2, letter:2, draft:3, compose:3, rewrite:3, rephrase:3, paraphrase:3, proofread:3, slogan:3, tweet:3, haiku:4, lyrics:3, novel:2, speech:2, cover letter:3, advertisement:3, headline:2, write a:1, write an:1, creative:2, schreibe:2, gedicht:4, geschichte:2, aufsatz:4, écris:3, poème:4, escribe:3, poema:4, escreva:3, scrivi:3, 写一篇:4, 写一首:4, 作文:4, 詩:3, 書いて:2, напиши:2, стихотворение:4',
  ],
  knowledge: [
    'who is:2, who was:2, who wrote:2, what is:1, what are:1, what was:1, when did:2, when was:2, where is:2, where was:2, which country:2, capital of:3, define:2, definition:3, history:2, explain:1, why do:1, why does:1, why is:1, how does:1, which:0.5, wer ist:2, wer war:2, was ist:1, wann:2, warum:1, erkläre:2, qui est:2, qui a:2, quest ce que:2, pourquoi:1, quién:2, qué es:2, cuándo:2, dónde:2, quem:2, onde:2, chi è:2, 什么是:2, 是谁:2, 为什么:1, 解释:2, 誰:2, とは:2, なぜ:1, кто:2, что такое:2, почему:1',
  ],
  chat: [
    'hi:3, hello:3, hey:3, thanks:3, thank you:3, how are you:4, good morning:4, good evening:4, good night:4, bye:3, goodbye:3, whats up:4, nice to meet you:4, lol:3, tell me a joke:4, hallo:3, danke:3, wie gehts:4, bonjour:3, salut:3, merci:3, ça va:3, hola:3, gracias:3, qué tal:3, olá:3, oi:2, obrigado:3, ciao:3, grazie:3, 你好:3, 谢谢:3, こんにちは:4, ありがとう:4, 안녕:3, 감사:3, привет:3, спасибо:3',
  ],
})

const statement = /\bSELECT\b[\s\S]{1,400}?\bFROM\b|\bINSERT INTO\b|\bCREATE TABLE\b/

/**
 * A category by cue words and the text's shape: softmax over the points found, with one point for none of them; `undefined` where it is unsure (`sureCategory`).
 * Coarse on purpose: a `CategoryModel` trained on the operator's own labels takes its place.
 */
export function cueCategory(text: string, words: readonly string[], traits: TextTraits): Category | undefined {
  const points = new Float64Array(cueCategories.length)
  const matched = cues.match(words)
  // Through the places of the categories rather than a map of points: no text has more than a few.
  if (matched.size > 0) for (let place = 0; place < points.length; place++) points[place] = matched.get(cueCategories[place] ?? '') ?? 0
  let any = matched.size > 0
  const more = (place: number, extra: number) => {
    points[place] = (points[place] ?? 0) + extra
    any = true
  }
  if (traits.code) more(places.code, 2)
  if (statement.test(text)) more(places.sql, 5)
  if (traits.numeric > 0.08 && !traits.code) more(places.math, 2)
  if (!any) return undefined
  // A statement of SQL is code as well; the narrower name is meant.
  const narrow = (points[places.sql] ?? 0) >= 3
  // Long texts hold many words: what counts is what outweighs the rest, so points grow like a logarithm.
  for (let place = 0; place < points.length; place++) points[place] = 2 * Math.log1p(points[place] ?? 0)
  if (narrow) points[places.code] = Math.min(points[places.code] ?? 0, (points[places.sql] ?? 0) - 2)
  let total = Math.exp(1)
  let none = 0
  for (let place = 0; place < points.length; place++) {
    const score = points[place] ?? 0
    const exponent = score === 0 ? 1 : Math.exp(score)
    points[place] = exponent
    total += exponent
    if (exponent === 1) none += 1
  }
  total -= none
  for (let place = 0; place < points.length; place++) points[place] = (points[place] ?? 0) / total
  return sureCategory(cueCategories, points)
}

const places = { code: cueCategories.indexOf('code'), sql: cueCategories.indexOf('sql'), math: cueCategories.indexOf('math') }
