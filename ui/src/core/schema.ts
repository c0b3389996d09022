/** Checks of values from the page, put together like the types that they stand for. */

import { isObject } from "./item.ts";

/** Told of each problem: where it is (`startScreen.prompts[0].label`, "" for the whole) and what is wrong. */
export type Tell = (at: string, problem: string) => void;

/** Gives the value as far as it is good, rebuilt, with functions as they are; undefined is left out. */
export type Check = (value: unknown, at: string, tell: Tell) => unknown;

type RequiredKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];

export function kind(name: string, holds: (value: unknown) => boolean): Check {
  return (value, at, tell) => {
    if (holds(value)) return value;
    tell(at, `must be ${name}`);
  };
}

export const text = kind("text", (value) => typeof value === "string");
/** An id, a URL. */
export const name = kind("text that is not empty", (value) => typeof value === "string" && value !== "");
export const flag = kind("true or false", (value) => typeof value === "boolean");
export const call = kind("a function", (value) => typeof value === "function");
export const number = kind("a number", Number.isFinite);
export const amount = kind("a number of 0 or more", (value) => typeof value === "number" && value >= 0);

export function oneOf(...choices: (string | number)[]): Check {
  const names = choices.map((choice) => JSON.stringify(choice)).join(", ");
  return kind(`one of ${names}`, (value) => choices.includes(value as string));
}

/** The one check where the test holds, the other where not. */
export function either(test: (value: unknown) => boolean, one: Check, other: Check): Check {
  return (value, at, tell) => (test(value) ? one : other)(value, at, tell);
}

export function list(each: Check): Check {
  return (value, at, tell) => {
    if (!Array.isArray(value)) return tell(at, "must be a list");
    return value.map((element, index) => each(element, `${at}[${index}]`, tell)).filter((good) => good !== undefined);
  };
}

/** An object with keys of the page's own. */
export function record(each: Check): Check {
  return (value, at, tell) => {
    if (!isObject(value)) return tell(at, "must be an object");
    const entries = Object.entries(value).map(([key, member]) => [
      key,
      each(member, `${at}[${JSON.stringify(key)}]`, tell),
    ]);
    return Object.fromEntries(entries.filter(([, good]) => good !== undefined));
  };
}

/** An object whose `type` says which check holds. */
export function byType(kinds: Record<string, Check>): Check {
  return (value, at, tell) => {
    const type = isObject(value) ? String(value.type) : "";
    if (!Object.hasOwn(kinds, type))
      return tell(at, `must be an object with the type ${Object.keys(kinds).join(" or ")}`);
    return kinds[type]!(value, at, tell);
  };
}

/**
 * An object of type T: the compiler sees to it that no member is forgotten. Null counts as not given. Without a
 * required member the whole object is left out.
 */
export function shape<T>(
  required: { [K in RequiredKeys<T>]: Check },
  optional: { [K in Exclude<keyof T, RequiredKeys<T>>]-?: Check },
): Check {
  const members = { ...required, ...optional } as Record<string, Check>;
  return (value, at, tell) => {
    if (!isObject(value)) return tell(at, "must be an object");
    const path = (key: string) => (at ? `${at}.${key}` : key);
    const good: Record<string, unknown> = {};
    for (const [key, check] of Object.entries(members)) {
      try {
        const member = value[key] ?? undefined;
        const checked = member === undefined ? undefined : check(member, path(key), tell);
        if (checked !== undefined) good[key] = checked;
      } catch {
        tell(path(key), "could not be read");
      }
    }
    for (const key of Object.keys(value)) if (!Object.hasOwn(members, key)) tell(path(key), "is not an option");
    const missing = Object.keys(required).filter((key) => !Object.hasOwn(good, key));
    if (missing.length) return tell(at, `is left out, because it needs ${missing.join(" and ")}`);
    return good;
  };
}
