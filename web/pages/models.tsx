import { useState } from 'preact/hooks'
import type { DeploymentShown } from '../answers.js'
import { count, digits, seconds, UNKNOWN } from '../format.js'
import { Empty, Figure, Mark, Page } from '../parts/page.js'
import { Table } from '../parts/table.js'
import { useReading } from '../reading.js'
import type { PageParts } from '../app.js'

const mostShown = 100

/** Each deployment with its health and prices. */
export function Models({ client }: PageParts) {
  const [sought, setSought] = useState('')
  const reading = useReading('deployments', (signal) => client.deployments({}, signal))
  return (
    <Page title="Models and providers" lead="Health as this process sees it; what rests comes first." reading={reading}>
      {({ data }) => {
        const found = data.filter(({ id, names }) =>
          [id, ...names].some((name) => name.toLowerCase().includes(sought.trim().toLowerCase())),
        )
        return data.length === 0 ? (
          <Empty>
            <p>No model is served.</p>
            <p>
              Add a provider to the configuration, or set its key in the environment; <code>bursar check</code> reaches each.
            </p>
          </Empty>
        ) : (
          <>
            <dl class="figures">
              <Figure label="Providers" value={count(new Set(data.map(({ provider }) => provider)).size)} />
              <Figure label="Deployments" value={count(data.length)} />
              <Figure
                label="Not ready"
                value={count(data.filter(({ state, limited }) => state !== 'ready' || limited).length)}
                note="resting after faults, or asked to wait"
              />
              <Figure label="Calls under way" value={count(data.reduce((sum, one) => sum + one.in_flight, 0))} note="in this process" />
            </dl>
            <label class="search">
              Find <input type="search" value={sought} onInput={(event) => setSought(event.currentTarget.value)} />
            </label>
            <Table
              caption="Deployments"
              quiet
              rows={found.slice(0, mostShown)}
              idOf={({ id }) => `${id} ${found.findIndex((one) => one.id === id)}`}
              columns={[
                { title: 'Deployment', cell: ({ id }) => id },
                { title: 'State', cell: stateOf },
                { title: 'Serves', cell: ({ names }) => names.join(', ') || UNKNOWN },
                { title: 'Under way', number: true, cell: (one) => count(one.in_flight) },
                {
                  title: 'Context',
                  number: true,
                  cell: (one) => (one.context_tokens === null ? UNKNOWN : `${count(one.context_tokens)} tokens`),
                },
                { title: '$/M in', number: true, cell: (one) => rate(one.usd_per_million?.input) },
                { title: '$/M cached', number: true, cell: (one) => rate(one.usd_per_million?.cache_read) },
                { title: '$/M out', number: true, cell: (one) => rate(one.usd_per_million?.output) },
              ]}
            />
            {found.length > mostShown && (
              <p class="small muted">
                The first {mostShown} of {count(found.length)}: find by name.
              </p>
            )}
            <p class="small muted">$/M: dollars a million tokens, base rate. Unknown is {UNKNOWN}, never 0.</p>
          </>
        )
      }}
    </Page>
  )
}

function stateOf({ state, rest_seconds: rest, limited }: DeploymentShown) {
  if (state === 'resting') return <Mark tone="bad">cooling down{rest > 0 ? `, ${seconds(rest)} more` : ''}</Mark>
  if (state === 'probe') return <Mark tone="warn">next call tries it</Mark>
  return limited ? <Mark tone="warn">asked to wait</Mark> : <Mark tone="good">ready</Mark>
}

function rate(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : digits(value)
}
