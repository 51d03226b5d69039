import { useState } from 'preact/hooks'
import { Refusal, rightsOf, type Rights } from '../client.js'

interface SignInProps {
  /** Why a key is asked for, where one was refused. */
  readonly why?: string | undefined
  signedIn(key: string, rights: Rights): void
}

/** Asks for a key and tries it before it is kept. */
export function SignIn({ why, signedIn }: SignInProps) {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState(why)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const text = key.trim()
    if (text === '') return setFailure('Paste a key first.')
    setBusy(true)
    try {
      signedIn(text, await rightsOf(text))
    } catch (thrown) {
      setFailure(thrown instanceof Refusal ? thrown.message : String(thrown))
      setBusy(false)
    }
  }
  return (
    <main id="main" class="sign-in" tabIndex={-1}>
      <h1>Bursar</h1>
      <p class="lead">What is spent on language models, on what, and what it brings.</p>
      <form onSubmit={(event) => void submit(event)}>
        <label for="key">Admin key</label>
        <input
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
          aria-describedby="key-help"
          autofocus
        />
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Trying it …' : 'Open'}
        </button>
        {failure !== undefined && (
          <p class="notice bad" role="alert">
            {failure}
          </p>
        )}
        <div id="key-help" class="help">
          <p>
            The one that the gateway was started with: <code>BURSAR_ADMIN_KEY</code>, or <code>admin.key</code> in the configuration. Any
            other key shows its own spending only; the gateway prints one at its start (<code>.bursar/key</code>).
          </p>
          <p>It is kept in this tab until you close it or sign out, and is sent to this gateway only.</p>
        </div>
      </form>
    </main>
  )
}
