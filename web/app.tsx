import { useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import type { FunctionComponent } from 'preact'
import { createClient, Refusal, rightsOf, type Client, type Rights } from './client.js'
import { Arms } from './pages/arms.js'
import { Budgets } from './pages/budgets.js'
import { Decisions } from './pages/decisions.js'
import { Models } from './pages/models.js'
import { Overview } from './pages/overview.js'
import { Proof } from './pages/proof.js'
import { Savings } from './pages/savings.js'
import { SignIn } from './pages/sign-in.js'
import { forgetKey, keepKey, keptKey } from './session.js'

/** What every page gets. */
export interface PageParts {
  readonly client: Client
}

interface PageEntry {
  readonly title: string
  readonly page: FunctionComponent<PageParts>
  /** Whether only the admin key may read it. */
  readonly admin: boolean
}

const pages: Readonly<Record<string, PageEntry>> = {
  overview: { title: 'Overview', page: Overview, admin: false },
  savings: { title: 'Savings', page: Savings, admin: false },
  decisions: { title: 'Decisions', page: Decisions, admin: false },
  arms: { title: 'Arms', page: Arms, admin: true },
  budgets: { title: 'Budgets', page: Budgets, admin: true },
  models: { title: 'Models', page: Models, admin: true },
  proof: { title: 'Proof', page: Proof, admin: true },
}
const firstPage: PageEntry = { title: 'Overview', page: Overview, admin: false }

type Entry =
  | { readonly at: 'asking' }
  | { readonly at: 'door'; readonly why?: string }
  | { readonly at: 'away'; readonly why: string }
  | { readonly at: 'inside'; readonly secret: string | undefined; readonly rights: Rights }

/** The door, and the pages behind it. */
export function App() {
  const [entry, setEntry] = useState<Entry>({ at: 'asking' })
  const enter = useCallback(async (): Promise<void> => {
    const key = keptKey()
    try {
      setEntry({ at: 'inside', secret: key, rights: await rightsOf(key) })
    } catch (thrown) {
      const failure = thrown instanceof Refusal ? thrown : new Refusal(String(thrown), 0, 'page')
      if (failure.status !== 401) return setEntry({ at: 'away', why: failure.message })
      forgetKey()
      // Nobody sent a key yet: that one is needed needn't be told as a fault.
      setEntry(key === undefined ? { at: 'door' } : { at: 'door', why: failure.message })
    }
  }, [])
  useEffect(() => void enter(), [enter])
  useEffect(() => {
    if (entry.at !== 'away') return undefined
    const timer = setTimeout(() => void enter(), 10_000)
    return () => clearTimeout(timer)
  }, [entry, enter])

  if (entry.at === 'asking')
    return (
      <p class="boot" role="status">
        Asking the gateway …
      </p>
    )
  if (entry.at === 'away')
    return (
      <main id="main" class="sign-in">
        <h1>Bursar</h1>
        <div class="notice bad" role="alert">
          <p>{entry.why} It is asked again every 10 seconds.</p>
          <button type="button" onClick={() => void enter()}>
            Try again
          </button>
        </div>
      </main>
    )
  if (entry.at === 'door')
    return <SignIn why={entry.why} signedIn={(key, rights) => (keepKey(key), setEntry({ at: 'inside', secret: key, rights }))} />
  return <Pages secret={entry.secret} rights={entry.rights} signOut={() => (forgetKey(), setEntry({ at: 'door' }))} />
}

function Pages({ secret, rights, signOut }: { readonly secret: string | undefined; readonly rights: Rights; signOut(): void }) {
  const client = useMemo(() => createClient(secret), [secret])
  const place = usePlace()
  const { title, page: Shown, admin } = pages[place] ?? firstPage
  const current = pages[place] ? place : 'overview'
  useEffect(() => {
    document.title = `${title} · Bursar`
    // On a narrow screen the row of pages is wider than the screen.
    document.querySelector('nav [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
  }, [title])
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById('main')?.focus())}>
        Skip to the page
      </a>
      <nav aria-label="Pages">
        <p class="brand">Bursar</p>
        <ul>
          {Object.entries(pages).map(([name, entry]) => (
            <li key={name}>
              <a href={`#/${name}`} {...(name === current ? { 'aria-current': 'page' as const } : {})}>
                {entry.title}
              </a>
            </li>
          ))}
        </ul>
        <p class="who">
          {rights.sees === 'all' ? 'Admin key: everything' : rights.sees === 'own' ? 'One key: its own spending' : 'No keys: this machine'}
          {secret !== undefined && (
            <button type="button" onClick={signOut}>
              Sign out
            </button>
          )}
        </p>
      </nav>
      {admin && rights.sees !== 'all' ? (
        <NotForThisKey title={title} why={rights.why} signOut={signOut} />
      ) : (
        <Shown key={current} client={client} />
      )}
    </div>
  )
}

function NotForThisKey({ title, why, signOut }: { readonly title: string; readonly why: string; signOut(): void }) {
  return (
    <main id="main" tabIndex={-1}>
      <header class="page-head">
        <h1>{title}</h1>
      </header>
      <div class="empty">
        <p>This page needs the admin key.</p>
        <p>{why}</p>
        <button type="button" onClick={signOut}>
          Use another key
        </button>
      </div>
    </main>
  )
}

/** The page that the address names: `#/savings`. */
function usePlace(): string {
  const [place, setPlace] = useState(placeOf(location.hash))
  useEffect(() => {
    const onChange = () => {
      setPlace(placeOf(location.hash))
      scrollTo(0, 0)
    }
    addEventListener('hashchange', onChange)
    return () => removeEventListener('hashchange', onChange)
  }, [])
  return place
}

function placeOf(hash: string): string {
  const name = hash.replace(/^#\/?/, '')
  return Object.hasOwn(pages, name) ? name : 'overview'
}
