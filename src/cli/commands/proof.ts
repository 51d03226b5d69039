import type { Command } from 'commander'
import { adminClient, withAdminOptions, type AdminOptions, type Json } from '../admin/client.js'
import { textOf } from '../admin/show.js'
import { processDependencies, type InspectionDependencies } from '../inspection.js'
import { printable, table, wrap } from '../table.js'

type Dependencies = Pick<InspectionDependencies, 'env' | 'print' | 'width'>

interface Options extends AdminOptions {
  readonly json?: boolean
  readonly scope?: string
}

/** `bursar proof …`: what is known of routed traffic's quality, and what was rolled back. */
export function proofCommand(program: Command, deps: Dependencies = processDependencies()): void {
  const proof = program
    .command('proof')
    .description('Show the live proof of a running gateway: quality against the reference, and what was rolled back.')
  withAdminOptions(proof.command('status'))
    .description('Tell what is known of the quality of routed traffic, by scope and kind of evidence.')
    .action(async (options: Options) => show(await adminClient(options, deps.env).call('GET', '/admin/proof'), options, deps))
  withAdminOptions(proof.command('resume'))
    .description('Route traffic again that was rolled back to the reference. Its evidence begins anew.')
    .option('--scope <scope>', 'what to resume: all, or organisation:<id>', 'all')
    .action(async (options: Options) => {
      const { scope = 'all' } = options
      const status = await adminClient(options, deps.env).call('POST', '/admin/proof/resume', { scope })
      if (options.json !== true) deps.print(`${printable(scope)}: routed again. Evidence is gathered anew from now on.\n\n`)
      show(status, options, deps)
    })
}

function show(status: Json, { json }: Options, { print, width }: Dependencies): void {
  if (json === true) return print(`${JSON.stringify(status, null, 2)}\n`)
  const [holdout, margin] = [numberOf(status['holdout']) ?? 0, numberOf(status['margin']) ?? 0]
  const guardrail = status['guardrail'] === 'on'
  const told =
    holdout === 0
      ? 'Nothing is held out (proof.holdout is 0), so nothing can be proven.'
      : `${percent(holdout)} of routed requests are held out to the reference. ${guardrail ? `Traffic goes back to it once its quality is proven worse by more than ${points(margin)} points.` : 'The guardrail is off: nothing goes back by itself.'}`
  print(`${wrap(told, width).join('\n')}\n`)
  const scopes = listOf(status['scopes'])
  for (const scope of scopes) {
    const back = objectOf(scope['rolled_back'])
    if (back)
      print(
        `\n${wrap(`ROLLED BACK: ${printable(textOf(scope['scope']))}, since ${dateOf(back['at'])}: ${printable(textOf(back['why']))}. To route again: bursar proof resume --scope ${printable(textOf(scope['scope']))}`, width).join('\n')}\n`,
      )
  }
  const rows = scopes.flatMap((scope) =>
    listOf(scope['evidence']).map((evidence) => {
      const { value, low, high } = objectOf(evidence['difference']) ?? {}
      return [
        textOf(scope['scope']),
        textOf(evidence['evidence']),
        textOf(evidence['trials']),
        textOf(evidence['held_out']),
        pointsOf(value),
        rangeOf(low, high),
        textOf(evidence['verdict']),
      ]
    }),
  )
  if (rows.length === 0 && scopes.some((scope) => objectOf(scope['rolled_back']))) return
  if (rows.length === 0)
    return print(
      `\n${wrap('No evidence yet. It comes from feedback (POST /v1/feedback), checks of answers, and the judge (proof.judge).', width).join('\n')}\n`,
    )
  const right = { align: 'right' } as const
  print(
    `\n${table([{ title: 'SCOPE', cut: 'middle', least: 10 }, { title: 'BY' }, { title: 'TRIALS', ...right }, { title: 'HELD OUT', ...right }, { title: 'POINTS', ...right }, { title: 'BETWEEN' }, { title: 'VERDICT' }], rows, width)}`,
  )
  print(
    `\n${wrap('POINTS: quality of routed answers less the reference’s, in points of a hundred. The interval holds at every look.', width).join('\n')}\n`,
  )
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}

function points(share: number): string {
  return (share * 100).toFixed(1)
}

function pointsOf(value: unknown): string {
  const share = numberOf(value)
  return share === undefined ? '?' : `${share > 0 ? '+' : ''}${points(share)}`
}

/** An interval that isn't known yet has no ends. */
function rangeOf(low: unknown, high: unknown): string {
  return numberOf(low) === undefined ? 'too few yet' : `${pointsOf(low)} and ${pointsOf(high)}`
}

function dateOf(value: unknown): string {
  const seconds = numberOf(value)
  return seconds === undefined ? '?' : `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as readonly unknown[]).map(objectOf).filter((one) => one !== undefined) : []
}
