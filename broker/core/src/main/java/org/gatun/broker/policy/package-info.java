/**
 * What a guest may do with a device's config space: rules as data ({@link
 * org.gatun.broker.policy.BuiltInRules}), laid over a device ({@link
 * org.gatun.broker.policy.ConfigLayout}), and applied to each access ({@link
 * org.gatun.broker.policy.GuestConfigSpace}).
 */
package org.gatun.broker.policy;
