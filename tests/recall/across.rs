//! Questions in one language about memories in the other: no word is shared, and the built-in model
//! knows both.

use sage::memory::Filter;

use super::{Bench, project};

/// A memory in English, the same in Chinese, a question in each language.
const KNOWN: &[[&str; 4]] = &[
    [
        "We chose PostgreSQL as the database because the team knows it",
        "数据库选择了 PostgreSQL，因为团队熟悉它",
        "which database did we choose",
        "我们选了哪个数据库",
    ],
    [
        "The backup of the server runs every night at three",
        "服务器的备份每天凌晨三点运行",
        "when does the backup run",
        "备份什么时候运行",
    ],
    [
        "Anna is allergic to peanuts",
        "安娜对花生过敏",
        "who has a peanut allergy",
        "谁对花生过敏",
    ],
    [
        "Passwords must have at least twelve characters",
        "密码至少要有十二个字符",
        "how long must a password be",
        "密码的长度要求是什么",
    ],
    [
        "The meeting with the customer was moved to Thursday afternoon",
        "和客户的会议改到了星期四下午",
        "when is the meeting with the customer",
        "客户会议是什么时候",
    ],
    [
        "My daughter plays the piano on weekends",
        "我女儿周末弹钢琴",
        "what does my daughter play",
        "女儿弹什么乐器",
    ],
    [
        "Tests must not use the network",
        "测试不能使用网络",
        "may a test use the network",
        "测试可以访问网络吗",
    ],
    [
        "Old log files are deleted after thirty days",
        "旧的日志文件三十天后删除",
        "when are log files deleted",
        "日志文件什么时候删除",
    ],
    [
        "The new office is near the railway station",
        "新办公室在火车站附近",
        "where is the new office",
        "新办公室在哪里",
    ],
    [
        "He prefers green tea to coffee",
        "比起咖啡他更喜欢绿茶",
        "does he like tea or coffee",
        "他喜欢喝茶还是喝咖啡",
    ],
    [
        "The release was delayed by a security problem",
        "因为安全问题，发布推迟了",
        "why was the release delayed",
        "发布为什么推迟",
    ],
    [
        "Pictures are compressed before they are uploaded",
        "图片上传之前会先压缩",
        "what happens to pictures before the upload",
        "图片上传之前怎么处理",
    ],
];

/// Questions about what nobody ever said, in each language.
const FOREIGN: &[[&str; 2]] = &[
    [
        "how tall is the highest volcano of Iceland",
        "冰岛最高的火山有多高",
    ],
    ["which wine goes with venison", "鹿肉配什么葡萄酒"],
    [
        "who painted the ceiling of the chapel",
        "谁画了教堂的天花板",
    ],
    ["how do penguins keep warm", "企鹅怎么保暖"],
    ["what does a violin string cost", "小提琴琴弦多少钱"],
    ["the rules of underwater rugby", "水下橄榄球的规则"],
];

/// How many questions find their memory among the first three, and how many foreign ones find
/// anything.
fn ask(held: usize, asked: usize) -> (usize, usize) {
    let bench = Bench::new();
    let ids: Vec<_> = KNOWN.iter().map(|known| bench.note(known[held])).collect();
    let hits = |query: &str| {
        let found = bench.recall(project("shop"), Filter::default(), query);
        let ids = found.hits.into_iter().map(|hit| hit.memory.id);
        ids.collect::<Vec<_>>()
    };
    let is_found =
        |(known, id): &(&[&str; 4], _)| hits(known[2 + asked]).iter().take(3).any(|hit| hit == id);
    let found = KNOWN.iter().zip(ids).filter(is_found).count();
    let strange = FOREIGN
        .iter()
        .filter(|query| !hits(query[asked]).is_empty());
    (found, strange.count())
}

#[test]
fn chinese_questions_find_english_memories() {
    let (found, strange) = ask(0, 1);
    assert!(found >= 9 && strange <= 2, "{found} of 12, {strange} of 6");
}

#[test]
fn english_questions_find_chinese_memories() {
    let (found, strange) = ask(1, 0);
    assert!(found >= 10 && strange <= 2, "{found} of 12, {strange} of 6");
}

#[test]
fn each_language_finds_its_own() {
    for language in [0, 1] {
        let (found, strange) = ask(language, language);
        assert!(found == 12 && strange <= 1, "{found} of 12, {strange} of 6");
    }
}
