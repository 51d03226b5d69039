import { printable, table, textWidth, wrap } from '../table.js'
import type { Json } from './client.js'

const units = ['usd', 'tokens', 'calls', 'joules', 'seconds'] as const

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function itemsOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((item): item is Json => typeof item === 'object' && item !== null) : []
}

/** `$500`, `20 calls/day`, `$600/month soft`: as --budget takes them, but shorter. */
export function budgetText(rule: Json): string {
  const unit = units.find((name) => rule[name] !== undefined)
  if (unit === undefined) return ''
  const amount = unit === 'usd' ? `$${textOf(rule[unit])}` : `${textOf(rule[unit])} ${unit}`
  return `${amount}${rule['per'] === 'total' ? '' : `/${textOf(rule['per'])}`}${rule['hard'] === false ? ' soft' : ''}`
}

function budgetsText(rules: unknown): string {
  return itemsOf(rules).map(budgetText).join(', ')
}

/** What it is under, the nearest first. */
function parentsText(item: Json): string {
  return ['user', 'team', 'organisation']
    .map((kind) => textOf(item[kind]))
    .filter((id) => id !== '')
    .join(', ')
}

/** A line for each key. */
export function keysTable(keys: readonly Json[], width: number): string {
  if (keys.length === 0) return 'No keys.\n'
  const rows = keys.map((key) => [
    textOf(key['name']),
    textOf(key['prefix']) || 'file',
    textOf(key['status']),
    parentsText(key),
    budgetsText(key['budgets']),
    textOf(key['expires']).slice(0, 10),
  ])
  return table(
    [
      { title: 'NAME', cut: 'middle', least: 16 },
      { title: 'KEY' },
      { title: 'STATUS' },
      { title: 'UNDER', cut: 'end', least: 10 },
      { title: 'BUDGETS', cut: 'end', least: 14 },
      { title: 'EXPIRES' },
    ],
    rows,
    width,
  )
}

export function accountsTable(accounts: readonly Json[], width: number): string {
  if (accounts.length === 0) return 'No accounts.\n'
  const rows = accounts.map((account) => {
    const [id, name] = [textOf(account['id']), textOf(account['name'])]
    return [
      textOf(account['kind']),
      id,
      name === id ? '' : name,
      parentsText(account),
      budgetsText(account['budgets']),
      account['source'] === 'configuration' ? 'file' : 'database',
    ]
  })
  return table(
    [
      { title: 'KIND' },
      { title: 'ID', cut: 'middle', least: 16 },
      { title: 'NAME', cut: 'end', least: 8 },
      { title: 'UNDER', cut: 'end', least: 8 },
      { title: 'BUDGETS', cut: 'end', least: 14 },
      { title: 'FROM' },
    ],
    rows,
    width,
  )
}

/** Everything that is set, a line each. */
export function details(item: Json, width: number): string {
  const lines: (readonly [string, string])[] = []
  for (const [field, value] of Object.entries(item)) {
    if (field === 'object' || field === 'key') continue
    // As lists and the documents call the two places.
    const text =
      field === 'source'
        ? value === 'configuration'
          ? 'file'
          : 'database'
        : Array.isArray(value)
          ? field.endsWith('budgets')
            ? budgetsText(value)
            : value.map(textOf).join(', ')
          : typeof value === 'object' && value !== null
            ? pairs(value)
            : textOf(value)
    if (text !== '') lines.push([field, text])
  }
  const column = Math.max(...lines.map(([field]) => textWidth(field))) + 2
  return lines
    .map(([field, text]) => `${field.padEnd(column)}${wrap(printable(text), width - column).join(`\n${' '.repeat(column)}`)}\n`)
    .join('')
}

function pairs(value: object): string {
  return Object.entries(value)
    .map(([name, inner]) => `${name}=${textOf(inner)}`)
    .join(', ')
}

/** Spending by day, its sum, and how full the budgets are. */
export function usageText(usage: Json, width: number): string {
  const right = { align: 'right' } as const
  const days = itemsOf(usage['days'])
  const total = typeof usage['total'] === 'object' && usage['total'] !== null ? (usage['total'] as Json) : {}
  const row = (label: string, sums: Json) => [
    label,
    textOf(sums['usd']),
    textOf(sums['calls']),
    textOf(sums['errors']),
    textOf(sums['input_tokens']),
    textOf(sums['output_tokens']),
  ]
  const spending = table(
    [
      { title: 'DAY' },
      { title: 'DOLLARS', ...right },
      { title: 'CALLS', ...right },
      { title: 'FAILED', ...right },
      { title: 'TOKENS IN', ...right },
      { title: 'OUT', ...right },
    ],
    [...days.map((day) => row(textOf(day['day']), day)), row('all', total)],
    width,
  )
  const unpriced = Number(total['unpriced'] ?? 0)
  const budgets = itemsOf(usage['budgets'])
  const full = table(
    [
      { title: 'LIMIT OF' },
      { title: 'ID', cut: 'middle', least: 10 },
      { title: 'LIMIT', ...right },
      { title: 'USED', ...right },
      { title: 'LEFT', ...right },
      { title: 'ANEW' },
    ],
    budgets.map((budget) => [
      textOf(budget['level']),
      textOf(budget['id']),
      budgetText(budget),
      textOf(budget['used']),
      textOf(budget['left']),
      textOf(budget['resets_at']).slice(0, 16) || 'never',
    ]),
    width,
  )
  return `${spending}${unpriced > 0 ? `${unpriced === 1 ? '1 call' : `${unpriced} calls`} had no known price, which is in no sum.\n` : ''}${budgets.length === 0 ? '\nNo budgets.\n' : `\n${full}`}`
}
