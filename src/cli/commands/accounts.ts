import { Argument, type Command } from 'commander'
import { adminClient, withAdminOptions, type AdminOptions, type Json } from '../admin/client.js'
import { count, levelFields, present, withClearOption, withLevelOptions, type LevelOptions } from '../admin/settings.js'
import { accountsTable, details, usageText } from '../admin/show.js'
import { processDependencies, type InspectionDependencies } from '../inspection.js'
import { topUp } from './keys.js'

type Dependencies = Pick<InspectionDependencies, 'env' | 'print' | 'report' | 'width'>
type Common = AdminOptions & { readonly json?: boolean }
type Parents = { readonly name?: string; readonly organisation?: string; readonly team?: string }

const kinds = ['organisation', 'team', 'user'] as const
const kind = () => new Argument('<kind>', 'organisation, team or user').choices(kinds)

/** `bursar accounts …`: organisations, teams and users of a running gateway. */
export function accountsCommand(program: Command, deps: Dependencies = processDependencies()): void {
  const accounts = program.command('accounts').description('Make, list and change organisations, teams and users of a running gateway.')
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
  const show = (answer: Json, options: Common) => deps.print(options.json ? json(answer) : details(answer, deps.width))
  const withParents = (command: Command) =>
    command
      .option('--name <name>', 'name for people')
      .option('--organisation <id>', 'the organisation that a team or a user belongs to')
      .option('--team <id>', 'the team that a user belongs to')
  const fields = ({ name, organisation, team, ...level }: Parents & LevelOptions) => ({
    ...present({ name, organisation, team }),
    ...levelFields(level),
  })

  withParents(withLevelOptions(withAdminOptions(accounts.command('create'))))
    .addArgument(kind())
    .argument('<id>', 'its id in records and limits; never used again')
    .description('Make an account.')
    .action(async (of: string, id: string, options: Common & Parents & LevelOptions) =>
      show(await adminClient(options, deps.env).call('POST', '/admin/accounts', { kind: of, id, ...fields(options) }), options),
    )

  withAdminOptions(accounts.command('list'))
    .addArgument(new Argument('[kind]', 'only organisation, team or user').choices(kinds))
    .description('List accounts, the newest first.')
    .option('--organisation <id>', 'only accounts of this organisation')
    .option('--team <id>', 'only users of this team')
    .option('--limit <number>', 'at most so many', count(100_000), 1000)
    .action(async (of: string | undefined, options: Common & Parents & { readonly limit: number }) => {
      const { organisation, team, limit } = options
      const { items, more } = await adminClient(options, deps.env).list('/admin/accounts', { kind: of, organisation, team }, limit)
      deps.print(options.json ? json(items) : accountsTable(items, deps.width))
      if (more) deps.report(`There are more accounts than ${limit}; --limit shows more.\n`)
    })

  withAdminOptions(accounts.command('show'))
    .addArgument(kind())
    .argument('<id>')
    .description('Show everything about an account.')
    .action(async (of: string, id: string, options: Common) =>
      show(await adminClient(options, deps.env).call('GET', path(of, id)), options),
    )

  withClearOption(withParents(withLevelOptions(withAdminOptions(accounts.command('update')))))
    .addArgument(kind())
    .argument('<id>')
    .description('Change settings of an account; what no option names stays.')
    .action(async (of: string, id: string, options: Common & Parents & LevelOptions) =>
      show(await adminClient(options, deps.env).call('PATCH', path(of, id), fields(options)), options),
    )

  withAdminOptions(accounts.command('top-up'))
    .addArgument(kind())
    .argument('<id>')
    .argument('<amount>', 'UNIT=AMOUNT, such as usd=50', topUp)
    .description('Raise the limit of a budget that an account has.')
    .option('--per <window>', 'which budget, where there are several of the unit: minute, day, month or total')
    .action(async (of: string, id: string, amount: Json, options: Common & { readonly per?: string }) =>
      show(
        await adminClient(options, deps.env).call('POST', `${path(of, id)}/top-up`, {
          ...amount,
          ...(options.per === undefined ? {} : { per: options.per }),
        }),
        options,
      ),
    )

  withAdminOptions(accounts.command('usage'))
    .addArgument(kind())
    .argument('<id>')
    .description('What an account spent, by day, and how full its budgets are.')
    .option('--days <number>', 'so many days back, today included', count(400), 30)
    .action(async (of: string, id: string, options: Common & { readonly days: number }) => {
      const usage = await adminClient(options, deps.env).call('GET', `${path(of, id)}/usage?days=${options.days}`)
      deps.print(options.json ? json(usage) : usageText(usage, deps.width))
    })

  withAdminOptions(accounts.command('delete'))
    .addArgument(kind())
    .argument('<id>')
    .description('Delete an account that nothing is under.')
    .action(async (of: string, id: string, options: Common) => {
      const answer = await adminClient(options, deps.env).call('DELETE', path(of, id))
      deps.print(options.json ? json(answer) : `The ${of} "${id}" is deleted.\n`)
    })
}

function path(of: string, id: string): string {
  return `/admin/accounts/${of}/${encodeURIComponent(id)}`
}
