export function installGuard(): void {}
