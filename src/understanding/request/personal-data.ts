import { createCueMatcher } from './cues.js'

/**
 * Rules that err on the safe side: what they flag is merely not shared between requests, what they miss might be. They look at shapes, not at names:
 * no rule tells a person's name from a place's.
 */

/** Longest text that is looked at; a longer one counts as holding both personal data and dates. */
export const longestLookedAt = 16_384

const own = [
  'account',
  'address',
  'appointment',
  'balance',
  'bank',
  'bill',
  'booking',
  'birthday',
  'boss',
  'brother',
  'card',
  'child',
  'children',
  'claim',
  'contract',
  'credit',
  'customer',
  'data',
  'daughter',
  'diagnosis',
  'doctor',
  'email',
  'employer',
  'family',
  'father',
  'flight',
  'friend',
  'girlfriend',
  'boyfriend',
  'home',
  'house',
  'husband',
  'income',
  'insurance',
  'invoice',
  'job',
  'kids',
  'loan',
  'location',
  'login',
  'mail',
  'medical',
  'medication',
  'mom',
  'mother',
  'dad',
  'mortgage',
  'name',
  'number',
  'order',
  'package',
  'partner',
  'passport',
  'password',
  'patient',
  'payment',
  'phone',
  'pin',
  'policy',
  'profile',
  'refund',
  'rent',
  'reservation',
  'salary',
  'savings',
  'schedule',
  'sister',
  'son',
  'ssn',
  'statement',
  'subscription',
  'symptoms',
  'tax',
  'taxes',
  'transaction',
  'transfer',
  'wallet',
  'wife',
]

const cues = createCueMatcher({
  personal: [
    ...own.map((word) => `my ${word}`),
    'i live, i am called, i was born, years old and i, social security, date of birth, born on, my full name, iban, passport number, password is, api key',
    'mein konto, meine karte, mein name, meine bestellung, meine adresse, ich heiße, mein passwort, meine rechnung, mein vertrag, ich wohne, geboren am, meine frau, mein mann',
    'mon compte, ma carte, mon nom, ma commande, mon adresse, je m appelle, je mappelle, mon mot de passe, ma facture, jhabite, ma femme, mon mari',
    'mi cuenta, mi tarjeta, mi nombre, mi pedido, mi dirección, me llamo, mi contraseña, mi factura, vivo en, mi esposa, mi marido',
    'minha conta, meu nome, meu cartão, meu pedido, minha senha, me chamo, il mio conto, la mia carta, mi chiamo, il mio nome, la mia password',
    '我的账户, 我的帐户, 我的名字, 我的卡, 我的订单, 我叫, 我住在, 私の口座, 私の名前, 私の住所, 내 계좌, 내 이름, мой счет, мой счёт, моя карта, меня зовут',
  ],
})

/** Whether the text seems to hold mail addresses, telephone, card, account or social-security numbers, IP addresses, or speaks of things of one's own. Linear. */
export function holdsPersonalData(text: string, words: readonly string[]): boolean {
  if (text.length > longestLookedAt) return true
  // Numbers of any kind need a digit, which most texts are without.
  const numbers = anyDigit.test(text) && (holdsLongNumber(text) || iban.test(text) || address.test(text))
  return numbers || holdsMailAddress(text) || cues.match(words).size > 0
}

/** A digit of any script that one of the rules below looks for. */
const anyDigit = /[0-9\uff10-\uff19\u0660-\u0669\u0966-\u096f]/
const iban = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b/
const address = /\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/

/** An @ between a name's character and a domain with a dot. */
function holdsMailAddress(text: string): boolean {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    if (
      at > 0 &&
      /[\p{L}\p{N}._%+-]/u.test(text.charAt(at - 1)) &&
      /^[\p{L}\p{N}-]{1,63}(\.[\p{L}\p{N}-]{1,63}){1,6}/u.test(text.slice(at + 1, at + 256))
    )
      return true
  }
  return false
}

/**
 * Nine or more digits with at most two signs of spacing between one and the next (telephone, card and tax numbers), or three, two and four digits joined by
 * hyphens. Commas aren't spacing, so that sums of money are none; a dot is, unless it is the only one (a decimal number).
 */
function holdsLongNumber(text: string): boolean {
  let digits = 0
  let dots = 0
  let gap = 0
  for (let at = 0; at <= text.length; at++) {
    const unit = at < text.length ? text.charCodeAt(at) : 0
    if (isDigit(unit)) {
      digits++
      gap = 0
      continue
    }
    if (digits > 0 && gap < 2 && spacing.has(unit)) {
      gap++
      if (unit === 0x2e) dots++
      continue
    }
    if (digits >= 9 && dots !== 1) return true
    digits = 0
    dots = 0
    gap = 0
  }
  return /\b\d{3}-\d{2}-\d{4}\b/.test(text)
}

const spacing = new Set([' ', '-', '.', '/', '(', ')', '\u00a0', '\u2011', '\u2013'].map((character) => character.charCodeAt(0)))

function isDigit(unit: number): boolean {
  return (
    (unit >= 0x30 && unit <= 0x39) ||
    (unit >= 0xff10 && unit <= 0xff19) ||
    (unit >= 0x660 && unit <= 0x669) ||
    (unit >= 0x966 && unit <= 0x96f)
  )
}

const months =
  'jan(?:uar[yi]?|vier)?|feb(?:ruar[yi]?|brero|braio)?|février|mar(?:ch|zo|s)|märz|apr(?:il|ile)?|avril|abril|mai|may|mayo|maggio|maio|jun[ei]?|juin|junio|giugno|junho|jul[yi]?|juillet|julio|luglio|julho|aug(?:ust)?|août|agosto|sep(?:t|tember|tembre)?|septiembre|settembre|setembro|okt(?:ober)?|oct(?:ober|obre)?|ottobre|outubro|nov(?:ember|embre|iembre|embro)?|de[cz](?:ember)?|décembre|diciembre|dicembre|dezembro'
const dateShapes: readonly RegExp[] = [
  /(?<!\d)\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)/,
  /(?<!\d)\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?!\d)/,
  /(?<![\d.,])(?:1[5-9]|20)\d\d(?![\d.,]*\d)/,
  /\d{1,4}\s?[年月日년월일]/u,
  new RegExp(`(?<![\\p{L}\\p{N}])\\d{1,2}(?:st|nd|rd|th|er|º|\\.)?(?: of| de)? (?:${months})(?!\\p{L})`, 'iu'),
  new RegExp(`(?<![\\p{L}\\p{N}])(?:${months})\\.? \\d{1,4}(?!\\p{N})`, 'iu'),
]
const dayWords = createCueMatcher({
  date: [
    'monday, tuesday, wednesday, thursday, friday, saturday, sunday',
    'montag, dienstag, mittwoch, donnerstag, freitag, samstag, sonntag',
    'lundi, mardi, mercredi, jeudi, vendredi, samedi, dimanche',
    'lunes, martes, miércoles, jueves, viernes, sábado, domingo',
    'january, february, april, june, july, august, september, october, november, december',
    '星期, 曜日, понедельник, вторник, среда, четверг, пятница, суббота, воскресенье',
  ],
})

/** Whether the text holds dates: written in digits, with a month's name, a year from 1500 to 2099 alone, or a day of the week. Linear. */
export function holdsDates(text: string, words: readonly string[]): boolean {
  if (text.length > longestLookedAt) return true
  return (anyDigit.test(text) && dateShapes.some((shape) => shape.test(text))) || dayWords.match(words).size > 0
}
