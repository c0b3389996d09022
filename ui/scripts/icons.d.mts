export function shards(): Record<string, string>[];
