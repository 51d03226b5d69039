import type { Subject } from '../answers.js'
import { amountOf, count, moment } from '../format.js'
import { Empty, Mark, Page } from '../parts/page.js'
import { Fill, windows } from '../parts/fill.js'
import { useReading } from '../reading.js'
import type { PageParts } from '../app.js'

const statusTones: Readonly<Record<string, 'good' | 'warn' | 'bad'>> = { active: 'good', blocked: 'bad', revoked: 'bad', expired: 'warn' }

/** How full every limit is, of accounts and keys. */
export function Budgets({ client }: PageParts) {
  const reading = useReading('budgets', async (signal) => {
    const [accounts, keys] = await Promise.all([
      client.budgets({ kind: 'account', limit: 200 }, signal),
      client.budgets({ kind: 'key', limit: 200 }, signal),
    ])
    return { accounts, keys }
  })
  return (
    <Page
      title="Budgets and keys"
      lead="Spent is settled; held is reserved by calls under way in this process; left is what still may be reserved."
      reading={reading}
    >
      {({ accounts, keys }) => (
        <>
          {accounts.data.length + keys.data.length === 0 && (
            <Empty>
              <p>There are no keys and no accounts.</p>
              <p>
                Make one: <code>bursar keys create my-app --budget usd=5/day</code>
              </p>
            </Empty>
          )}
          <Subjects title="Organisations, teams and users" subjects={accounts.data} more={accounts.next !== null} />
          <Subjects title="Keys" subjects={keys.data} more={keys.next !== null} />
        </>
      )}
    </Page>
  )
}

function Subjects({ title, subjects, more }: { readonly title: string; readonly subjects: readonly Subject[]; readonly more: boolean }) {
  if (subjects.length === 0) return null
  return (
    <section>
      <h2>{title}</h2>
      <div class="cards">
        {subjects.map((subject) => (
          <Card key={`${subject.kind} ${subject.id}`} subject={subject} />
        ))}
      </div>
      {more && (
        <p class="small muted">
          There are more; <code>bursar keys list</code> and <code>bursar accounts list</code> show all.
        </p>
      )}
    </section>
  )
}

function Card({ subject }: { readonly subject: Subject }) {
  const { name, kind, status, organisation, team, user, rates, models, expires, budgets, source } = subject
  const own = budgets.filter(({ level, id }) => level === kind && id === subject.id)
  const above = budgets.filter((limit) => !own.includes(limit))
  const under = [organisation, team, user].filter((one) => one !== null).join(' › ')
  const limits = [
    rates.requests_per_minute === null ? '' : `${count(rates.requests_per_minute)} requests a minute`,
    rates.tokens_per_minute === null ? '' : `${count(rates.tokens_per_minute)} tokens a minute`,
    rates.parallel === null ? '' : `${count(rates.parallel)} at once`,
    models === null ? '' : `models: ${models.slice(0, 4).join(', ')}${models.length > 4 ? ` and ${models.length - 4} more` : ''}`,
    expires === null ? '' : `until ${moment(expires)}`,
    source === 'configuration' ? 'in the configuration' : '',
  ].filter((one) => one !== '')
  return (
    <article class="card">
      <header class="card-head">
        <h3>
          {name} <span class="tag">{kind}</span>
        </h3>
        <Mark tone={statusTones[status] ?? 'plain'}>{status}</Mark>
      </header>
      {under !== '' && <p class="small muted">under {under}</p>}
      {own.length === 0 && <p class="muted">No limit of its own.</p>}
      {own.map((limit) => (
        <Fill key={`${limit.unit} ${limit.per} ${limit.hard} ${limit.limit}`} limit={limit} />
      ))}
      {above.length > 0 && (
        <p class="small muted">
          Also within:{' '}
          {above.map(({ level, id, unit, limit, per, left, regime }, index) => (
            <span key={`${level} ${id} ${unit} ${per} ${index}`}>
              {index > 0 && '; '}
              {level} {id} {amountOf(unit, limit)} {windows[per]}, left {amountOf(unit, left)}
              {regime === null ? ' (soft)' : regime === 'ample' ? '' : ` (${regime.replace('_', ' ')})`}
            </span>
          ))}
        </p>
      )}
      {limits.length > 0 && <p class="small muted">{limits.join(' · ')}</p>}
    </article>
  )
}
