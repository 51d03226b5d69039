import { addMoney, picoUsd } from '../quantities/index.js'
import type { Decision, Estimate } from './contracts.js'
import { dollars, duration } from './policies/plain-figures.js'
import { secondsOf } from './policies/sound-estimates.js'

/** What `explainDecision` reads: a decision, or the record of one that was kept without its strategies. */
export type ExplainedDecision = Omit<Decision, 'arm'> & { readonly arm: { readonly id: string } }

/**
 * A decision in plain words, at most `columns` wide: which arm answered and why, what it and the reference were expected to give and take, the other arms
 * weighed, and those that could not answer. Never holds content. An arm's name that is longer than a line stays whole.
 */
export function explainDecision(decision: ExplainedDecision, columns = 80): readonly string[] {
  const { arm, expected, reference, alternatives, excluded = [], propensity, explored } = decision
  const lines: string[] = [...wrap(decision.reason, columns, '')]
  if (expected) lines.push(...wrap(`Expected of it: ${inWords(expected)}.`, columns, ''))
  if (reference && reference.arm !== arm.id) {
    lines.push(...wrap(`The reference "${reference.arm}" would have given: ${inWords(reference)}.`, columns, ''))
    const saving = difference(expected, reference)
    if (saving) lines.push(...wrap(saving, columns, ''))
  } else if (reference) lines.push(...wrap('It is the reference arm, so nothing is saved or risked.', columns, ''))

  const out = new Set(excluded.map((one) => one.arm))
  const others = alternatives.filter((estimate) => estimate.arm !== arm.id && estimate.arm !== reference?.arm && !out.has(estimate.arm))
  if (others.length > 0) {
    lines.push('Also weighed:')
    for (const estimate of others) lines.push(...wrap(`"${estimate.arm}": ${inWords(estimate)}`, columns, '- '))
  }
  if (excluded.length > 0) {
    lines.push('Set aside:')
    for (const { arm: id, why } of excluded) lines.push(...wrap(`"${id}": ${why}`, columns, '- '))
  }
  const chance =
    propensity < 1
      ? `It was drawn with probability ${share(propensity)}${explored ? ', in order to learn' : ''}.`
      : 'The choice was certain: nothing was drawn.'
  lines.push(...wrap(`${chance} Policy: ${decision.policy}.`, columns, ''))
  return lines
}

function inWords(estimate: Estimate): string {
  const { quality, cost } = estimate
  const seconds = secondsOf(estimate)
  return [
    quality === null ? 'unknown quality' : `quality ${quality.mean.toFixed(2)} ± ${Math.sqrt(quality.variance).toFixed(2)}`,
    cost.usd === null ? 'an unknown price' : dollars(cost.usd),
    seconds === null ? 'unknown seconds' : duration(seconds),
    ...(cost.joules === null ? [] : [`${cost.joules.toPrecision(2)} J`]),
  ].join(', ')
}

function difference(expected: Estimate | undefined, reference: Estimate): string | null {
  if (!expected || expected.cost.usd === null || reference.cost.usd === null) return null
  const saved = addMoney(reference.cost.usd, picoUsd(-expected.cost.usd))
  const percent = reference.cost.usd > 0n ? ` (${share(Math.abs(Number(saved)) / Number(reference.cost.usd))})` : ''
  const points = expected.quality && reference.quality ? (expected.quality.mean - reference.quality.mean) * 100 : null
  const quality = points === null ? '' : `, ${Math.abs(points).toFixed(1)} points of quality ${points < 0 ? 'less' : 'more'}`
  return saved === 0n
    ? `That is the same price${quality}.`
    : `That is ${dollars(saved < 0n ? picoUsd(-saved) : saved)}${percent} ${saved < 0n ? 'more' : 'less'}${quality}.`
}

function share(value: number): string {
  const percent = value * 100
  return `${percent >= 10 || percent === 0 ? percent.toFixed(0) : percent.toPrecision(2)} %`
}

/** Breaks at spaces; further lines of an entry are indented as its text. */
function wrap(text: string, columns: number, bullet: string): readonly string[] {
  const indent = ' '.repeat(bullet.length)
  const lines: string[] = []
  let line = bullet
  let empty = true
  for (const word of text.split(/\s+/).filter((one) => one !== '')) {
    if (!empty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}
