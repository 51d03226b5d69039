import { InvalidArgumentError, type Command } from 'commander'
import { adminClient, withAdminOptions, type AdminOptions, type Json } from '../admin/client.js'
import { count, keyFields, withClearOption, withKeyOptions, type KeyOptions } from '../admin/settings.js'
import { details, keysTable, usageText } from '../admin/show.js'
import { processDependencies, type InspectionDependencies } from '../inspection.js'

type Dependencies = Pick<InspectionDependencies, 'env' | 'print' | 'report' | 'width' | 'now'>
type Common = AdminOptions & { readonly json?: boolean }

/** `bursar keys …`: manages the keys of a running gateway through its admin API. */
export function keysCommand(program: Command, deps: Dependencies = processDependencies()): void {
  const keys = program.command('keys').description('Make, list and change the keys of a running gateway.')
  const show = (answer: Json, options: Common) => deps.print(options.json ? json(answer) : details(answer, deps.width))
  /** The text of a key stands alone on standard output, so that a script can take it. */
  const showSecret = (answer: Json, options: Common, what: string) => {
    if (options.json) return deps.print(json(answer))
    deps.report(`${what} Keep it now: it is shown this once.\n`)
    deps.print(`${String(answer['key'])}\n`)
  }

  withKeyOptions(withAdminOptions(keys.command('create')), deps.now)
    .argument('<name>', 'its name in records; unique')
    .description('Make a key and print it.')
    .action(async (name: string, options: Common & KeyOptions) => {
      const made = await adminClient(options, deps.env).call('POST', '/admin/keys', { name, ...keyFields(options) })
      showSecret(made, options, `The key "${name}" is made.`)
    })

  withAdminOptions(keys.command('list'))
    .description('List keys, the newest first.')
    .option('--organisation <id>', 'only keys of this organisation')
    .option('--team <id>', 'only keys of this team')
    .option('--user <id>', 'only keys of this user')
    .option('--revoked', 'also those that are revoked')
    .option('--limit <number>', 'at most so many', count(100_000), 1000)
    .action(
      async (
        options: Common & {
          readonly organisation?: string
          readonly team?: string
          readonly user?: string
          readonly revoked?: boolean
          readonly limit: number
        },
      ) => {
        const { organisation, team, user, revoked, limit } = options
        const { items, more } = await adminClient(options, deps.env).list(
          '/admin/keys',
          { organisation, team, user, revoked: revoked ? 'true' : undefined },
          limit,
        )
        deps.print(options.json ? json(items) : keysTable(items, deps.width))
        if (more) deps.report(`There are more keys than ${limit}; --limit shows more.\n`)
      },
    )

  withAdminOptions(keys.command('show'))
    .argument('<key>', 'name or id')
    .description('Show everything about a key but its text, which nobody has.')
    .action(async (key: string, options: Common) => show(await adminClient(options, deps.env).call('GET', path(key)), options))

  withClearOption(withKeyOptions(withAdminOptions(keys.command('update')), deps.now))
    .argument('<key>', 'name or id')
    .description('Change settings of a key; what no option names stays.')
    .action(async (key: string, options: Common & KeyOptions) =>
      show(await adminClient(options, deps.env).call('PATCH', path(key), keyFields(options)), options),
    )

  withAdminOptions(keys.command('rotate'))
    .argument('<key>', 'name or id')
    .description('Give a key a new text and print it; limits and records stay.')
    .option('--grace <time>', 'how long the old text works on: 90s, 30m, 24h, 7d (default: not at all)')
    .action(async (key: string, options: Common & { readonly grace?: string }) => {
      const made = await adminClient(options, deps.env).call(
        'POST',
        `${path(key)}/rotate`,
        options.grace === undefined ? {} : { grace: options.grace },
      )
      showSecret(made, options, `The key "${String(made['name'])}" has a new text.`)
    })

  for (const [name, what] of [
    ['block', 'Stop a key until it is unblocked.'],
    ['unblock', 'Let a blocked key work again.'],
    ['revoke', 'Stop a key for good, at once.'],
  ] as const)
    withAdminOptions(keys.command(name))
      .argument('<key>', 'name or id')
      .description(what)
      .action(async (key: string, options: Common) => {
        const answer = await adminClient(options, deps.env).call('POST', `${path(key)}/${name}`, {})
        deps.print(options.json ? json(answer) : `The key "${String(answer['name'])}" is ${String(answer['status'])}.\n`)
      })

  withAdminOptions(keys.command('top-up'))
    .argument('<key>', 'name or id')
    .argument('<amount>', 'UNIT=AMOUNT, such as usd=50', topUp)
    .description('Raise the limit of a budget that a key has.')
    .option('--per <window>', 'which budget, where there are several of the unit: minute, day, month or total')
    .action(async (key: string, amount: Json, options: Common & { readonly per?: string }) =>
      show(
        await adminClient(options, deps.env).call('POST', `${path(key)}/top-up`, {
          ...amount,
          ...(options.per === undefined ? {} : { per: options.per }),
        }),
        options,
      ),
    )

  withAdminOptions(keys.command('usage'))
    .argument('<key>', 'name or id')
    .description('What a key spent, by day, and how full its budgets are.')
    .option('--days <number>', 'so many days back, today included', count(400), 30)
    .action(async (key: string, options: Common & { readonly days: number }) => {
      const usage = await adminClient(options, deps.env).call('GET', `${path(key)}/usage?days=${options.days}`)
      deps.print(options.json ? json(usage) : usageText(usage, deps.width))
    })
}

function path(key: string): string {
  return `/admin/keys/${encodeURIComponent(key)}`
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

export function topUp(text: string): Json {
  const [, unit, amount] = /^(usd|tokens|calls|joules|seconds)=(\d{1,15}(?:\.\d{1,12})?)$/.exec(text) ?? []
  if (unit === undefined) throw new InvalidArgumentError('expected an amount such as usd=50 or calls=1000.')
  return { [unit]: Number(amount) }
}
