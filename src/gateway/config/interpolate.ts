import { didYouMean } from './closest.js'

/** Variables of the environment, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

export type Interpolated =
  /** The text with references replaced, the names of the variables whose values are in it, and whether it had references at all. */
  { readonly text: string; readonly variables: readonly string[]; readonly replaced: boolean } | { readonly problem: string }

const reference = /\$\$\{|\$\{([^}]*)\}?/g
const liteLlmReference = /^os\.environ\/([A-Za-z_][A-Za-z0-9_]*)$/

/**
 * Replaces `${NAME}` and `${NAME:-default}` by values of the environment; `$${` stands for a plain `${`. The default also
 * holds when the variable is empty. A text that is wholly `os.environ/NAME` (LiteLLM's way) is a reference too.
 */
export function interpolate(text: string, env: Environment): Interpolated {
  const whole = liteLlmReference.exec(text)
  if (whole) return interpolate(`\${${whole[1]}}`, env)
  if (!text.includes('${')) return { text, variables: [], replaced: false }
  const variables: string[] = []
  let problem: string | undefined
  const replaced = text.replace(reference, (match: string, inside: string | undefined) => {
    if (match === '$${') return '${'
    if (!match.endsWith('}')) {
      problem ??= '"${" without "}"; write "$${" for a plain "${"'
      return ''
    }
    const parts = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(inside ?? '')
    const name = parts?.[1]
    if (name === undefined) {
      problem ??= 'expected ${NAME} or ${NAME:-default}, with a name of letters, digits and "_"; write "$${" for a plain "${"'
      return ''
    }
    const fallback = parts?.[2]
    const value = env[name]
    if (value !== undefined && value !== '') {
      variables.push(name)
      return value
    }
    if (fallback !== undefined) return fallback
    if (value === '') problem ??= `the environment variable ${name} is empty; set it, or write \${${name}:-default}`
    else problem ??= `the environment variable ${name} is not set${meant(name, env)}; set it, or write \${${name}:-default}`
    return ''
  })
  return problem === undefined ? { text: replaced, variables, replaced: true } : { problem }
}

function meant(name: string, env: Environment): string {
  return didYouMean(name, Object.keys(env)).replace(/^; did you mean "(.*)"\?$/, ' (did you mean $1?)')
}
