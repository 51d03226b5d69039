import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Outcome } from './callers.js'
import type { Program } from './gateway-process.js'

/** What a campaign found. It has held when there are no violations. */
export interface Findings {
  readonly violations: string[]
  /** Why nothing was tried. */
  readonly skipped?: string
  /** Figures of single runs, for the table. */
  readonly rows: Record<string, string | number>[]
}

export const noFindings = (): Findings => ({ violations: [], rows: [] })

export type Say = (text: string) => void

/** What every campaign is told. */
export interface CampaignSettings {
  readonly program: Program
  /** Calls at once. */
  readonly callers: number
  readonly seed: number
  readonly say: Say
  /** Where to gather, for who breaks the campaign off. */
  readonly findings?: Findings
}

/** Tells how far a campaign of so many runs is, and when it will be done if it goes on like that. */
export function progressOf(name: string, runs: number, say: Say): (done: number, text: string) => void {
  const begun = performance.now()
  return (done, text) => {
    const left = ((performance.now() - begun) / done) * (runs - done)
    say(
      `${new Date().toISOString().slice(11, 19)} ${name} ${done} of ${runs}${done < runs ? `, about ${Math.ceil(left / 60_000)} min left` : ''}: ${text}`,
    )
  }
}

/** A folder that is removed at the end, unless something was found: then what is in it is evidence. */
export async function inFolder<T extends Findings>(name: string, say: Say, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), `bursar-money-${name}-`))
  let keep = true
  try {
    const findings = await work(folder)
    keep = findings.violations.length > 0
    return findings
  } finally {
    if (keep) say(`kept for a look: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}

export const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until a condition holds; false when it doesn't within `ms`. A condition that throws doesn't hold, and throws in the end. */
export async function eventually(condition: () => boolean | Promise<boolean>, ms: number, every = 20): Promise<boolean> {
  const end = performance.now() + ms
  for (;;) {
    try {
      if (await condition()) return true
      if (performance.now() > end) return false
    } catch (thrown) {
      if (performance.now() > end) throw thrown
    }
    await sleep(every)
  }
}

/** How calls came out, as text: `complete 900, 429 budget_exceeded 3`. */
export function tally(outcomes: Iterable<Outcome>): string {
  const counts = new Map<string, number>()
  for (const { end, status, errorCode } of outcomes) {
    const name = end === 'refused' ? `${status} ${errorCode ?? ''}`.trim() : end
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}
