/**
 * The policy file: which device goes to which guest, and under which policy. {@link
 * org.gatun.broker.config.BrokerConfig} reads it; {@code docs/policy.md} is its schema.
 */
package org.gatun.broker.config;
