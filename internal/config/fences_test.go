package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestFencesNameDevicesAndFilesOfSecrets(t *testing.T) {
	got, err := ParseFences("fences.yaml", []byte(`version: 1
members:
  db-1:
    power:
      - {agent: fence_ipmilan, ip: 10.1.0.1, username: fence, lanplus: "1", password_file: /etc/moonwatch/ipmi}
      - {agent: fence_apc, ip: 10.1.0.9, plug: "7"}
    network: [{agent: fence_ifmib, ip: 10.1.0.2, plug: "12"}]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Fences{"db-1": {
		"power": {
			{Agent: "fence_ipmilan", Options: map[string]string{"ip": "10.1.0.1", "username": "fence", "lanplus": "1"}, Files: map[string]string{"password": "/etc/moonwatch/ipmi"}},
			{Agent: "fence_apc", Options: map[string]string{"ip": "10.1.0.9", "plug": "7"}, Files: map[string]string{}},
		},
		"network": {{Agent: "fence_ifmib", Options: map[string]string{"ip": "10.1.0.2", "plug": "12"}, Files: map[string]string{}}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, err := LoadFences(""); got != nil || err != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
}

func TestEveryMistakeInFencesIsNamed(t *testing.T) {
	_, err := ParseFences("fences.yaml", []byte(`version: 2
members:
  db-1: {power: {}}
  db-2: {smoke: []}
  db-3:
    power:
      - {ip: 10.1.0.1}
      - {agent: ../fence, action: off}
      - {agent: fence_x, password: hunter2, passwd: x}
      - {agent: fence_x, password_file: ipmi, "a=b": c}
`))
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		"fences.yaml:1:10: version is the number 2", "members.db-1.power is", "unknown key members.db-2.smoke", "members.db-3.power[0].agent is missing",
		"power[1].agent is \"../fence\", want the plain name", "power[1].action is what a case decides", "power[2].password is a secret, want password_file",
		"power[2].passwd is a secret", "power[3].password_file is \"ipmi\", want the absolute path", "a=b is no name of an option",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("it shows the secret")
	}
}

func TestTheSampleFencesLoad(t *testing.T) {
	f, err := LoadFences("../../configs/fences.yaml")
	if err != nil || len(f["db-1"]["power"]) != 1 || f["db-1"]["network"][0].Files["community"] == "" {
		t.Errorf("got %+v, %v", f, err)
	}
}
